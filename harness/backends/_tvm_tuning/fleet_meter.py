"""Measures candidates on the boards of a fleet, through TVM's RPC tracker and servers; boards may die and come back.

What a board had when it died is given back, and no candidate is answered twice. The trials that came in are the
search's, which has written them down by then.
"""

import select
import sys
import time
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from harness.backends._tvm_tuning.fleet_board import Board
from harness.backends._tvm_tuning.meter import CRASHED, Answer, ArgInfo, Settings
from harness.errors import DeviceError
from harness.fleet import Fleet

PATIENCE_S = 120.0
"""How long a job goes on without any board: as long as one takes to start anew."""
MOST_LOSSES = 2
"""So often a board may die under a candidate: then the candidate is given up, not the fleet."""


class FleetMeter:
    """See `meter.py`. Made in the main thread: the processes that speak with boards die with their maker."""

    overlaps = True

    def __init__(self, fleet: Fleet, kind: str, patience_s: float = PATIENCE_S) -> None:
        """Returns at once; boards come as they answer. `kind` is a target's: `llvm` or `cuda`."""
        self.said: List[str] = []
        """What became of boards, a sentence each."""
        device = "cuda" if kind == "cuda" else "cpu"
        self._boards = [Board(name, fleet, device, self._say) for name in fleet.keys]
        self.patience_s = patience_s
        self._none_since: Optional[float] = time.monotonic()
        self._lost_by: Dict[int, List[str]] = {}
        self._answers: List[Answer] = []

    def places(self) -> int:
        """As of the last look: looking here would take from its pipe what should wake who waits for answers."""
        return sum(one.there for one in self._boards)

    def send(self, number: int, library: Path, args_info: Sequence[ArgInfo], settings: Settings) -> None:
        free = [one for one in self._boards if one.free]
        assert free, "a candidate is sent while fewer are out than there are places"
        before = self._lost_by.get(number, [])
        free.sort(key=lambda one: one.name in before)  # another board tells whether the candidate was to blame
        free[0].send(number, library, args_info, settings)

    def answers(self, timeout_s: float) -> List[Answer]:
        """Raises DeviceError where no board has been there for long."""
        end = time.monotonic() + timeout_s
        self._look()
        while not self._answers:
            now = time.monotonic()
            self._refuse_to_wait_for_ever(now)
            if now >= end:
                return []
            due = min([end, *(one for one in (board.due() for board in self._boards) if one is not None)])
            select.select(self.wakers(), [], [], max(0.0, min(due - now, 1.0)))
            self._look()
        found, self._answers = self._answers, []
        return found

    def wakers(self) -> List[int]:
        return [one.child.fileno() for one in self._boards if not one.over]

    def missing(self) -> str:
        """Why boards are not there, each by its name."""
        return "; ".join(f"{one.name}: {one.why}" for one in self._boards if not one.there)

    def close(self) -> None:
        for one in self._boards:
            if not one.over:
                one.close()

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)
        self.said.append(text)

    def _look(self) -> None:
        for board in self._boards:
            self._answers += [self._judged(one) for one in board.look()]
        if any(one.there for one in self._boards):
            self._none_since = None
        elif self._none_since is None:
            self._none_since = time.monotonic()

    def _judged(self, answer: Answer) -> Answer:
        if not answer.lost:
            return answer
        lost_by = self._lost_by.setdefault(answer.number, [])
        lost_by.append(answer.place)
        if len(lost_by) < MOST_LOSSES:
            return answer
        return answer._replace(outcome=CRASHED, reason=f"{' and '.join(lost_by)} died under it: {answer.reason}")

    def _refuse_to_wait_for_ever(self, now: float) -> None:
        if self._none_since is None:
            return
        over = all(one.over for one in self._boards)
        if over or now - self._none_since >= self.patience_s:
            waited = "" if over else f" for {self.patience_s:g} s"
            raise DeviceError(
                f"no board has been there to measure on{waited}: {self.missing()}. Every finished trial is kept: mend "
                "what is named, and the same command goes on"
            )
