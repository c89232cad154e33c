"""Measures candidates in one process of its own, on this machine's CPU or on its CUDA device."""

import select
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence

from harness.backends._tvm_tuning.child import Child
from harness.backends._tvm_tuning.meter import CRASHED, INVALID, TIMED_OUT, Answer, ArgInfo, Settings
from harness.errors import BuildError

MODULE = "harness.backends._tvm_tuning.measuring"
START_LIMIT_S = 120.0


class Where(NamedTuple):
    """The device, and what of the CPU its process may take."""

    kind: str
    """`cpu` or `cuda`."""
    ordinal: int = 0
    threads: int = 1
    """Of TVM's pool, which counts the calling thread."""
    cores: Sequence[int] = ()
    """That the process is pinned to; none leaves it as it is."""
    name: str = "this machine"


class LocalMeter:
    """A candidate that hangs, crashes or breaks the device's context costs the process, never the search."""

    def __init__(self, where: Where, overlaps: bool) -> None:
        self.overlaps = overlaps
        self._where = where
        hello = {"kind": where.kind, "index": where.ordinal, "cores": list(where.cores)}
        # TVM's pool would bind its threads to the machine's first cores, whatever the process is kept to.
        binding = {"TVM_BIND_THREADS": "0"} if where.cores else {}
        self._child = Child(MODULE, hello, {"TVM_NUM_THREADS": str(where.threads), **binding})
        self._out: Optional[int] = None
        self._limit_s = START_LIMIT_S
        self._failed_starts = 0

    def places(self) -> int:
        return 1 if self._child.ready is not None else 0

    def send(self, number: int, library: Path, args_info: Sequence[ArgInfo], settings: Settings) -> None:
        self._out, self._limit_s = number, settings.limit_s
        told: Dict[str, object] = {"number": number, "library": str(library), "args_info": args_info}
        self._child.send({**told, "settings": list(settings)})

    def answers(self, timeout_s: float) -> List[Answer]:
        select.select([self._child], [], [], max(0.0, timeout_s))
        try:
            found = [self._answer(message) for message in self._child.received()]
        except EOFError as error:
            return self._lost_child(CRASHED, f"it ended the process that measured it ({error})")
        if self._child.ready is not None:
            self._check_threads(self._child.ready["threads"])
            self._failed_starts = 0
        if self._out is not None and self._child.idle_s() > self._limit_s:
            return [*found, *self._lost_child(TIMED_OUT, f"no answer within {self._limit_s:g} s")]
        if self._child.ready is None and self._child.idle_s() > START_LIMIT_S:
            return [*found, *self._lost_child(CRASHED, f"no start within {START_LIMIT_S:g} s")]
        return found

    def _answer(self, message: Dict[str, object]) -> Answer:
        number, self._out = int(str(message["number"])), None
        if "times" in message:
            return Answer(number, tuple(message["times"]), place=self._where.name)  # type: ignore[arg-type]
        return Answer(number, reason=str(message["reason"]), place=self._where.name, outcome=INVALID)

    def _lost_child(self, outcome: str, reason: str) -> List[Answer]:
        number, self._out = self._out, None
        if number is None:  # it died of itself: where it cannot even start, no candidate is to blame
            self._failed_starts += 1
            if self._failed_starts > 2:
                raise BuildError(f"tvm: the process that measures candidates does not start: {reason}")
        self._child.again()
        return [] if number is None else [Answer(number, reason=reason, place=self._where.name, outcome=outcome)]

    def _check_threads(self, running: int) -> None:
        if running != self._where.threads:
            raise BuildError(f"tvm runs {running} threads where {self._where.threads} were asked for")

    def wakers(self) -> List[int]:
        return [self._child.fileno()]

    def close(self) -> None:
        self._child.end()
