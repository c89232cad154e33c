"""One board as a tuning job sees it: there, measuring a candidate, or away; decides whose fault a broken session is."""

import time
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence

from harness.backends._tvm_tuning.child import Child
from harness.backends._tvm_tuning.meter import CRASHED, INVALID, LOST, TIMED_OUT, Answer, ArgInfo, Settings
from harness.fleet import Fleet

MODULE = "harness.backends._tvm_tuning.fleet_place"
SLACK_S = 10.0
"""How much longer than its limit a candidate may take before the board counts as dead: the board itself ends it."""
BACK_S = 5.0
"""How long a board whose session broke may take to tell whether the candidate did that, before it counts as dead."""
MOST_STARTS = 3
"""Of the process here that speaks with the board and ends before it is ready."""


class Out(NamedTuple):
    """A candidate that the board has."""

    number: int
    limit_s: float
    since: float


class Broken(NamedTuple):
    reason: str
    since: float


class Board:
    """Asked from one thread, which is the one that made it."""

    def __init__(self, name: str, fleet: Fleet, kind: str, say: Callable[[str], None]) -> None:
        self.name, self.why = name, "it has not answered yet"
        self.over = False
        """It will not be asked any more in this job."""
        self._say = say
        self._server: Optional[Dict[str, Any]] = None
        self._up = self._seen = False
        self._out: Optional[Out] = None
        self._broken: Optional[Broken] = None
        self._starts = 0
        self.child = Child(MODULE, {"port": fleet.port, "key": fleet.keys[name], "kind": kind})

    @property
    def there(self) -> bool:
        return self._up and not self.over

    @property
    def free(self) -> bool:
        return self.there and self._out is None

    def send(self, number: int, library: Path, args_info: Sequence[ArgInfo], settings: Settings) -> None:
        self._out = Out(number, settings.limit_s, time.monotonic())
        self.child.send(
            {"number": number, "library": str(library), "args_info": list(args_info), "settings": list(settings)}
        )

    def look(self) -> List[Answer]:
        """What became of its candidate, where that is known by now."""
        found: List[Answer] = []
        if self.over:
            return found
        try:
            for message in self.child.received():
                found += self._heard(message)
            if self.child.ready is not None:
                self._starts = 0
        except EOFError as error:
            found += self._ended(str(error))
        return found + self._late(time.monotonic())

    def due(self) -> Optional[float]:
        """When to look again even if nothing comes."""
        if self._broken is not None:
            return self._broken.since + BACK_S
        return None if self._out is None else self._out.since + self._out.limit_s + SLACK_S

    def close(self) -> None:
        self.child.end()

    def _heard(self, message: Any) -> List[Answer]:
        if "up" in message:
            return self._is_up(message["up"])
        if "absent" in message:
            self.why = message["absent"]
        elif "unfit" in message:
            return self._leaves(message["unfit"])
        elif self._out is None or message["number"] != self._out.number:
            pass  # of a candidate that has been given back
        elif message.get("board") == "silent":
            self._breaks(message["broke"])
        elif "broke" in message:
            return self._answer(CRASHED, message["broke"])
        elif "reason" in message:
            return self._answer(INVALID, message["reason"])
        else:
            number, self._out = self._out.number, None
            return [Answer(number, tuple(message["times"]), place=self.name)]
        return []

    def _is_up(self, server: Dict[str, Any]) -> List[Answer]:
        before, self._server = self._server, server
        found: List[Answer] = []
        if self._broken is not None and self._out is not None:
            same = before is not None and before["id"] == server["id"]
            if same and server["crashed"] > before["crashed"]:  # type: ignore[index]
                late = self._broken.since - self._out.since >= self._out.limit_s
                what = f"no time within {self._out.limit_s:g} s" if late else self._broken.reason
                found = self._answer(TIMED_OUT if late else CRASHED, what)
            else:  # the server is another one, or only the connection was lost
                found = self._lose(self._broken.reason)
        if not self._up and self._seen:
            self._say(f"board {self.name}: is back, and measures again")
        self._up = self._seen = True
        return found

    def _breaks(self, reason: str) -> None:
        self._broken = Broken(f"its connection broke: {reason}", time.monotonic())

    def _ended(self, how: str) -> List[Answer]:
        """The process here: TVM ends it where a connection breaks in the midst of something."""
        self._starts += 1
        if self._starts >= MOST_STARTS:
            return self._leaves(f"the process that speaks with it ended {MOST_STARTS} times: {how}")
        self.child.again()
        if self._out is None:
            self._up, self.why = False, how
            if self._seen:
                self._say(f"board {self.name}: dropped: {how}")
        elif self._broken is None:
            self._breaks(how)
        return []

    def _late(self, now: float) -> List[Answer]:
        if self._out is None:
            return []
        if self._broken is not None:
            return self._lose(self._broken.reason) if now >= self._broken.since + BACK_S else []
        if now < self._out.since + self._out.limit_s + SLACK_S:
            return []
        self.child.again()
        return self._lose(f"it was silent for {now - self._out.since:.0f} s")

    def _lose(self, why: str) -> List[Answer]:
        self._up, self.why = False, why
        self._say(f"board {self.name}: dropped: {why}; its candidate goes back to the queue")
        return self._answer(LOST, why)

    def _leaves(self, why: str) -> List[Answer]:
        found = self._answer(LOST, why) if self._out is not None else []
        self.over, self._up, self.why = True, False, why
        self._say(f"board {self.name}: left out: {why}")
        self.child.end()
        return found

    def _answer(self, outcome: str, reason: str) -> List[Answer]:
        assert self._out is not None
        number, self._out, self._broken = self._out.number, None, None
        return [Answer(number, reason=reason, place=self.name, outcome=outcome)]
