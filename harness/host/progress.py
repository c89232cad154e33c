"""What a user sees while work goes on: lines on stderr, with a moving status where stderr is a terminal."""

import contextlib
import copy
import time
from typing import Iterator, List, Optional, Tuple

from msgspec import UNSET
from rich.console import Console
from rich.status import Status

from harness.host.printable import printable
from harness.records import BuildOptions, Experiment, Result, ThroughputSamples


class Step:
    """A piece of work with a note on how it ended."""

    def __init__(self) -> None:
        self.text = ""

    def note(self, text: str) -> None:
        self.text = text


class CellScreen:
    def __init__(self) -> None:
        self.text = ""

    def ended(self, result: Result) -> None:
        if result.samples is None:
            self.text = f"{result.status}: {result.reason}"
            return
        if isinstance(result.samples, ThroughputSamples):
            self.text = f"{result.status}, {result.samples.per_second:.4g} inferences a second"
            return
        middle = sorted(result.samples.compute_ns)[len(result.samples.compute_ns) // 2] / 1e6
        self.text = f"{result.status}, median {f'{middle:.0f}' if middle >= 1000 else f'{middle:.4g}'} ms"
        if result.deviations:
            self.text += f" ({'; '.join(result.deviations)})"


class Moving:
    """The text of a status."""

    def __init__(self, progress: "Progress", status: Optional[Status]) -> None:
        self._progress, self._status = progress, status
        self._said_s = time.monotonic()

    def show(self, text: str, every_s: float) -> None:
        """At once where a status moves; as a line where the last one is `every_s` old."""
        now = time.monotonic()
        if self._status is not None:
            self._status.update(f"{printable(text)} ...")
        elif now - self._said_s >= every_s:
            self._said_s = now
            self._progress.line(text)


class Progress:
    """`quiet` shows nothing but what fails; `verbose` also what was there already."""

    def __init__(self, quiet: bool = False, verbose: bool = False) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True, quiet=quiet)
        self._verbose = verbose
        self._moving = self._console.is_terminal
        self._prefix = ""
        self._start = time.monotonic()
        self._done = self._total = 0

    def of_board(self, name: str) -> "Progress":
        """One of several boards' own: its lines begin with its name, and no status moves, since only one could."""
        own = copy.copy(self)
        own._prefix, own._moving = f"{name}: ", False
        return own

    def line(self, text: str, detail: bool = False) -> None:
        if self._verbose or not detail:
            self._console.print(printable(f"{self._prefix}{text}"), markup=False)

    @contextlib.contextmanager
    def step(self, text: str) -> Iterator[Step]:
        """Shown while it lasts; a line remains when it took a second, said something, or details are wanted."""
        step, start = Step(), time.monotonic()
        with self._console.status(f"{text} ...") if self._moving else contextlib.nullcontext():
            yield step
        seconds = time.monotonic() - start
        if step.text or seconds >= 1:
            self.line(f"{text}: {step.text or 'done'} ({duration(seconds)})")

    @contextlib.contextmanager
    def moving(self, text: str) -> Iterator["Moving"]:
        """A status whose text changes; where none can move, a line now and then."""
        with self._console.status(f"{printable(text)} ...") if self._moving else contextlib.nullcontext() as status:
            yield Moving(self, status)

    def begin(self, pending: int, planned: int) -> None:
        self._start, self._done, self._total = time.monotonic(), planned - pending, planned
        if pending < planned:
            self.line(f"going on: {planned - pending} of {planned} cells have ended before")

    @contextlib.contextmanager
    def cell(self, experiment: Experiment, number: int, rounds: int, left: Tuple[float, int]) -> Iterator[CellScreen]:
        """One cell: a status while it runs, a line when it ended. `left` is seconds, and cells only bounded."""
        self._done += 1
        text = f"[{self._done}/{self._total}] round {number}/{rounds} {label(experiment)}"
        seconds, bounded = left
        about = f"elapsed {duration(time.monotonic() - self._start)}, "
        about += f"remaining {'at most' if bounded else 'about'} {duration(seconds)}"
        screen = CellScreen()
        with self._console.status(f"{text} ({about})") if self._moving else contextlib.nullcontext():
            yield screen
        self.line(f"{text}: {screen.text} ({about})")


def label(experiment: Experiment) -> str:
    build, inference = experiment.build, experiment.inference
    threads = f"{inference.threads} thread{'s' if inference.threads > 1 else ''}"
    batch = f" batch {build.batch}" if build.batch > 1 else ""
    words = [f"{build.model} {build.backend} {build.precision}{batch}", *_of_build(build), threads]
    words += [inference.io_memory] if inference.io_memory != "host" else []
    words += [inference.issue_mode] if inference.issue_mode != "latency" else []
    words += ["CUDA graph"] if inference.cuda_graph is True else []
    return " ".join(words)


def engine_label(build: BuildOptions) -> str:
    words = [build.model, build.backend, build.precision, f"batch {build.batch}", *_of_build(build)]
    return " ".join(words)


def _of_build(build: BuildOptions) -> List[str]:
    """What else sets one engine apart from another: its backend's options and which of several builds it is."""
    words = [build.variant] if build.variant is not UNSET else []
    words += [f"for {build.target}"] if build.target is not None else []
    words += [f"{name}={value}" for name, value in (build.options or {}).items()]
    return words + ([f"build {build.build_number}"] if build.build_number is not UNSET else [])


def duration(seconds: float) -> str:
    """`42 s`, `3:05 min`, `2:10 h`: a reader's duration."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"
