"""What a user sees of a tuning job, and how Ctrl-C ends it: the job is asked to stop, and then still makes its choice.

A second Ctrl-C ends it at once; every trial that had ended is in the log either way.
"""

import contextlib
import signal
import threading
from typing import Any, Iterator, Optional

from harness import upgrades
from harness.errors import HarnessError
from harness.host.board import Launcher
from harness.host.progress import Progress, duration
from harness.host.tuning.effort import Effort
from harness.jobs import TuneProgress

PROGRESS, STOP = "progress.json", "stop"
LOOK_S = 1.0
SAY_EVERY_S = 30.0
"""Between two lines, where no status line can move."""


class Stop:
    """Whether the user has asked for an end."""

    def __init__(self) -> None:
        self.asked = threading.Event()


@contextlib.contextmanager
def interruptible(progress: Progress) -> Iterator[Stop]:
    """The first Ctrl-C inside asks for an end, the next one is raised. Signals reach the main thread alone."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before: Any = signal.getsignal(signal.SIGINT)

    def first(_number: int, _frame: object) -> None:
        stop.asked.set()
        signal.signal(signal.SIGINT, before)
        progress.line("ending: the schedules of what was tried are chosen now; Ctrl-C again ends at once")

    signal.signal(signal.SIGINT, first)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def watched(launcher: Launcher, name: str, effort: Effort, progress: Progress, stop: Stop) -> Iterator[None]:
    """Shows the job's progress while the body waits for it, and hands the wish for an end on."""
    over = threading.Event()
    with progress.moving(f"{name}: starting") as screen:

        def look() -> None:
            told = False
            while not over.wait(LOOK_S):
                with contextlib.suppress(HarnessError, OSError):  # a board may be out of reach for a while
                    if stop.asked.is_set() and not told:
                        launcher.put(STOP, b"")
                        told = True
                    seen = _read(launcher)
                    if seen is not None:
                        screen.show(f"{name}: {words(seen, effort)}", SAY_EVERY_S)

        thread = threading.Thread(target=look, name="tuning", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def words(seen: TuneProgress, effort: Effort) -> str:
    """`searching, 512 of at most 2000 new trials of 41 tasks, 143 a minute, estimated 471 -> 61.2 ms, ...`."""
    parts = [seen.doing]
    if seen.tasks:
        parts.append(f"{seen.trials} of at most {effort.trials} new trials of {seen.tasks} tasks")
    if seen.trials and seen.seconds > 1:
        parts.append(f"{seen.trials / seen.seconds * 60:.0f} a minute")
    if seen.default_ns and seen.estimated_ns:
        parts.append(f"estimated {seen.default_ns / 1e6:.4g} -> {seen.estimated_ns / 1e6:.4g} ms")
    parts.append(f"{duration(seen.seconds)} of at most {duration(effort.minutes * 60)}")
    return ", ".join(parts)


def _read(launcher: Launcher) -> Optional[TuneProgress]:
    data = launcher.get(PROGRESS)
    return None if data is None else upgrades.decode(data, TuneProgress, PROGRESS)
