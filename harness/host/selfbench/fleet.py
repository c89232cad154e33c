"""Tuning over a fleet of which one board dies: three servers of this machine, one ended in mid-run, nothing lost."""

import collections
import contextlib
import os
import signal
import tempfile
import threading
from pathlib import Path
from typing import Dict, List, Optional

from harness import trials
from harness.errors import LaunchError
from harness.host.board import LocalBoard
from harness.host.fleet.boards import served
from harness.host.launch.local import LocalLauncher
from harness.host.selfbench.figure import Figure
from harness.host.selfbench.ground import Place
from harness.host.selfbench.tuning_ground import stand
from harness.host.tuning import logs
from harness.host.tuning.effort import Effort
from harness.host.tuning.job import tune
from harness.host.tuning.watching import Stop
from harness.jobs import Failure, Tuned
from harness.records.tuning import Trial

MODEL = "yolov5n@96"
TRIALS, MINUTES, LIMIT_S = 48, 10.0, 1200.0
NAMES, VICTIM = ("a", "b", "c"), "b"
LOOK_S = 0.1


class Player(LocalBoard):
    """This machine, playing one of several boards."""

    def __init__(self, name: str, work: Path) -> None:
        super().__init__(work)
        self.name = name
        self.launched: Optional[LocalLauncher] = None

    def launch(self, about: Optional[Dict[str, str]] = None) -> LocalLauncher:
        self.launched = super().launch(about)
        return self.launched


def fleet(place: Place) -> List[Figure]:
    """A job of its own, in a folder that is thrown away."""
    work_folder = place.results / ".work"
    work_folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=str(work_folder), prefix="fleet-") as folder:
        return _figures(place, Path(folder))


def _figures(place: Place, results: Path) -> List[Figure]:
    here, work = stand(place._replace(results=results), MODEL, 1)
    boards = [Player(name, results / ".work" / name) for name in NAMES]
    effort = Effort(trials=TRIALS, minutes=MINUTES, cost_model="random")
    log = logs.folder(results, work.header) / trials.LOG
    killed = threading.Event()
    with served(boards, results, 1, LIMIT_S, place.progress) as made:
        thread = threading.Thread(target=_kill, args=(boards[NAMES.index(VICTIM)], log, killed), daemon=True)
        thread.start()
        answer = tune(work, effort, 1, here, results, place.progress, Stop(), made)
        killed.set()
        thread.join()
    if not isinstance(answer, Tuned):
        raise LaunchError(f"selfbench: fleet: {answer.reason if isinstance(answer, Failure) else 'nothing was tried'}")
    return judge(trials.read(log).of(Trial), answer)


def _kill(board: Player, log: Path, over: threading.Event) -> None:
    """Ends the board's server once a third of the trials is in the log."""
    while not over.wait(LOOK_S):
        done = log.read_bytes().count(b'"kind":"trial"') if log.exists() else 0
        if done >= TRIALS // 3 and board.launched is not None and board.launched.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(board.launched.pid, signal.SIGKILL)
            return


def judge(found: "List[Trial]", answer: Tuned) -> List[Figure]:
    times = collections.Counter((one.task, one.trace) for one in found)
    twice = sum(count - 1 for count in times.values())
    dropped = [text for text in answer.said if text.startswith(f"board {VICTIM}: dropped: ")]
    attempt = {
        "seconds": answer.seconds,
        "invalid": float(answer.invalid),
        "crashed": float(answer.crashed),
        "dropped": float(len(dropped)),
    }
    what = f"tuning {MODEL} on three servers of this machine, one of them killed in mid-run"
    return [
        Figure(
            part="fleet",
            what=f"{what}: trials delivered",
            value=float(len(times)),
            unit="trials",
            bar=f"all {TRIALS} that were asked for, one board dropped for it",
            reached=len(times) == TRIALS and len(dropped) >= 1,
            attempts=[attempt],
        ),
        Figure(
            part="fleet", what=f"{what}: trials in the log twice", value=float(twice), unit="trials", bar="0",
            reached=twice == 0,
        ),
    ]  # fmt: skip
