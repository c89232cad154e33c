"""A pool of processes that build candidates side by side, warm, and replaced when one hangs or crashes."""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from harness.backends._tvm_tuning.child import Child
from harness.backends._tvm_tuning.meter import CRASHED, INVALID, TIMED_OUT
from harness.errors import BuildError

MODULE = "harness.backends._tvm_tuning.building"
LIMIT_S = 60.0
START_LIMIT_S = 300.0
BUILDS_EACH = 400
"""Compiling leaks memory: TVM's own builder begins its processes anew for each batch."""


class Build(NamedTuple):
    """What became of one candidate's build."""

    number: int
    outcome: str
    """Empty where the library is there; else INVALID, TIMED_OUT or CRASHED."""
    reason: str


class Builders:
    """`number` is the caller's; libraries are written where the caller says."""

    def __init__(
        self, count: int, target: Any, linker: str, cores: Sequence[int] = (), limit_s: float = LIMIT_S
    ) -> None:
        """They are kept to `cores`; none leaves them on any."""
        self._limit_s = limit_s
        hello = {"target": target, "linker": linker, "cores": list(cores)}
        self._children = [Child(MODULE, hello) for _ in range(count)]
        self._out: Dict[int, int] = {}
        """Child by its place in the list to the number it builds."""
        self._built = [0] * count
        self._failed_starts = 0

    def free(self) -> int:
        return sum(1 for place in range(len(self._children)) if self._is_free(place))

    def _is_free(self, place: int) -> bool:
        return place not in self._out and self._children[place].ready is not None

    def busy(self) -> int:
        return len(self._out)

    def send(self, number: int, module_text: str, path: Path) -> None:
        """To a free child, of which there must be one."""
        place = next(place for place in range(len(self._children)) if self._is_free(place))
        self._out[place] = number
        self._children[place].send({"number": number, "module": module_text, "path": str(path)})

    def built(self) -> List[Build]:
        """What has come since the last call, without waiting."""
        return [build for place in range(len(self._children)) for build in self._of(place)]

    def _of(self, place: int) -> List[Build]:
        child = self._children[place]
        try:
            messages = child.received()
        except EOFError as error:
            return self._replaced(place, CRASHED, f"it ended the process that built it ({error})")
        found = []
        for message in messages:
            found.append(Build(message["number"], INVALID if message["reason"] else "", message["reason"]))
            self._out.pop(place, None)
            self._built[place] += 1
        if child.ready is not None:
            self._failed_starts = 0
        if place in self._out and child.idle_s() > self._limit_s:
            return [*found, *self._replaced(place, TIMED_OUT, f"not built within {self._limit_s:g} s")]
        if child.ready is None and child.idle_s() > START_LIMIT_S:
            return self._replaced(place, CRASHED, f"no start within {START_LIMIT_S:g} s")
        if self._built[place] >= BUILDS_EACH and place not in self._out:
            self._restart(place)
        return found

    def _replaced(self, place: int, outcome: str, reason: str) -> List[Build]:
        number: Optional[int] = self._out.pop(place, None)
        if number is None:
            self._failed_starts += 1
            if self._failed_starts > 2 * len(self._children):
                raise BuildError(f"tvm: the processes that build candidates do not start: {reason}")
        self._restart(place)
        return [] if number is None else [Build(number, outcome, reason)]

    def _restart(self, place: int) -> None:
        self._built[place] = 0
        self._children[place].again()

    def give_up(self) -> List[int]:
        """Ends whatever is being built; its numbers."""
        numbers = list(self._out.values())
        for place in list(self._out):
            del self._out[place]
            self._restart(place)
        return numbers

    def wakers(self) -> List[int]:
        return [child.fileno() for child in self._children]

    def close(self) -> None:
        for child in self._children:
            child.end()
