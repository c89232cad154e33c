"""Candidates on their way: built by the pool, then measured; where both would disturb each other they take turns."""

import contextlib
import errno
import os
import select
import time
from collections import deque
from pathlib import Path
from typing import Any, Deque, Dict, List, NamedTuple, Sequence, Tuple

from harness.backends._tvm_tuning.builders import Builders
from harness.backends._tvm_tuning.meter import Answer, ArgInfo, Meter, Settings
from harness.errors import StorageError

STEP_S = 0.25
"""The longest wait before time limits are looked at."""

FULL = os.strerror(errno.ENOSPC)
"""In a compiler's or linker's words: no candidate's fault."""

BLIND_S = 0.02
"""The same for a meter that wakes nobody."""


class Work(NamedTuple):
    """One candidate to build and measure."""

    key: Any
    """The caller's, handed back."""
    module: str
    """JSON of the scheduled module; empty where `library` is there already."""
    args_info: Sequence[ArgInfo]
    settings: Settings
    library: str = ""
    keeps_library: bool = False


class Done(NamedTuple):
    """What became of it."""

    work: Work
    times_s: Tuple[float, ...]
    outcome: str
    reason: str
    place: str
    library: str
    """Where it was kept; empty otherwise."""


class Flow:
    """What is sent to a meter waits until the caller has had (and logged) what came before: see `step`."""

    def __init__(self, builders: Builders, meter: Meter, folder: Path) -> None:
        self._builders, self._meter, self._folder = builders, meter, folder
        self._to_build: Deque[Tuple[int, Work]] = deque()
        self._building: Dict[int, Work] = {}
        self._to_measure: Deque[Tuple[int, Work]] = deque()
        self._measuring: Dict[int, Work] = {}
        self._number = 0
        self._clock = time.monotonic()
        self.measuring_s = 0.0
        """In which at least one candidate was being measured."""
        self.one_place = False
        """Measures one candidate at a time, so that times which are compared are those of one board while it lives."""

    def add(self, works: Sequence[Work]) -> None:
        for work in works:
            self._number += 1
            (self._to_measure if work.library else self._to_build).append((self._number, work))

    def waiting(self) -> int:
        """Candidates that have not come back."""
        return len(self._to_build) + len(self._building) + len(self._to_measure) + len(self._measuring)

    def measures_alone(self) -> bool:
        """Whether it is the turn of a meter that computing would disturb, until all that is built is measured."""
        computing = self._to_build or self._building
        return not self._meter.overlaps and not computing and bool(self._to_measure or self._measuring)

    def drop(self) -> None:
        """Forgets what is neither being built nor measured: time is up."""
        self._to_build.clear()
        self._to_measure.clear()

    def give_up(self) -> None:
        """Forgets also what is being built."""
        for number in self._builders.give_up():
            del self._building[number]
            _unlink(self._path(number))

    def step(self, wakers: Sequence[int] = (), thinking: bool = False) -> List[Done]:
        """Sends what can be sent, waits for something to come, and returns it.

        `wakers` are file descriptors that end the wait; `thinking`: the search computes, which disturbs a meter that
        does not overlap.
        """
        self._send(thinking)
        told = self._meter.wakers()
        waits = [*self._builders.wakers(), *told, *wakers]
        select.select(waits, [], [], STEP_S if told or not self._measuring else BLIND_S)
        self._count()
        done = [one for build in self._builders.built() for one in self._after_build(build.number, build)]
        for answer in self._meter.answers(0.0):
            done += self._after_answer(answer)
        return done

    def _send(self, thinking: bool) -> None:
        shared = not self._meter.overlaps
        while self._to_build and self._builders.free() and not (shared and self._measuring):
            number, work = self._to_build.popleft()
            self._building[number] = work
            self._builders.send(number, work.module, self._path(number))
        if shared and (thinking or self._building or self._to_build):
            return
        places = self._meter.places()
        most = min(1, places) if self.one_place else places
        while self._to_measure and len(self._measuring) < most:
            number, work = self._to_measure.popleft()
            self._measuring[number] = work
            library = Path(work.library) if work.library else self._path(number)
            self._meter.send(number, library, work.args_info, work.settings)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.so"

    def _after_build(self, number: int, build: Any) -> List[Done]:
        work = self._building.pop(number)
        if build.outcome:
            _unlink(self._path(number))
            if FULL in build.reason:
                raise StorageError(f"{self._folder}: {FULL}, and candidates are built there; what had ended is kept")
            return [Done(work, (), build.outcome, build.reason, "", "")]
        self._to_measure.append((number, work))
        return []

    def _after_answer(self, answer: Answer) -> List[Done]:
        work = self._measuring.pop(answer.number)
        if answer.lost:
            self._to_measure.appendleft((answer.number, work))
            return []
        library = work.library or str(self._path(answer.number))
        if not work.keeps_library:
            _unlink(Path(library))
        kept = library if work.keeps_library and answer.times_s else ""
        return [Done(work, answer.times_s, answer.outcome, answer.reason, answer.place, kept)]

    def _count(self) -> None:
        now = time.monotonic()
        if self._measuring:
            self.measuring_s += now - self._clock
        self._clock = now


def _unlink(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
