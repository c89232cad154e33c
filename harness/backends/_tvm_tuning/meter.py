"""What measures candidates: the contract that the search speaks with a CPU, a CUDA device or a fleet of boards.

A meter is asked from one thread. It raises nothing for what a candidate does: every candidate sent comes back as
exactly one Answer, be it from a board that died.
"""

from pathlib import Path
from typing import List, NamedTuple, Protocol, Sequence, Tuple

ArgInfo = Sequence[object]
"""One argument of a candidate as TVM spells it in JSON: `["TENSOR", "float32", [1, 3, 320, 320]]`."""

MEASURED, INVALID, TIMED_OUT, CRASHED, LOST = "measured", "invalid", "timed out", "crashed", "lost"


class Settings(NamedTuple):
    """How long one candidate is timed; the same for tuned and default schedules of a task."""

    repeats: int = 3
    min_repeat_s: float = 0.02
    """Each repeat calls the candidate so often that it takes at least so long."""
    hopeless_s: float = 1.0
    """A candidate of which one call takes longer has that one time alone: it cannot be the best any more."""
    poor_s: float = 1.0
    """One whose calls take longer has one repeat."""
    limit_s: float = 10.0
    """Loading, filling its arguments and timing together; a candidate that takes longer is ended."""


class Answer(NamedTuple):
    """What became of one candidate."""

    number: int
    """As it was sent."""
    times_s: Tuple[float, ...] = ()
    """Of one call, a repeat an entry; empty unless it was measured."""
    reason: str = ""
    """Why there is no time, in one line."""
    place: str = ""
    """Which board or device measured it."""
    outcome: str = MEASURED
    """MEASURED, INVALID (it raised), TIMED_OUT, CRASHED (it ended its process) or LOST."""

    @property
    def lost(self) -> bool:
        """The place died or was never reached: nothing is known of the candidate, which goes back to the queue."""
        return self.outcome == LOST


class Meter(Protocol):
    """Measures candidates somewhere; closing it ends what it started."""

    @property
    def overlaps(self) -> bool:
        """Measuring does not disturb building, nor the other way round: a GPU, a board, cores of its own."""

    def places(self) -> int:
        """How many candidates can be measured at one time now; boards come and go, and 0 means none at present."""

    def send(self, number: int, library: Path, args_info: Sequence[ArgInfo], settings: Settings) -> None:
        """Gives one candidate to a free place; called only while fewer than `places()` are out.

        `library` is a shared library for the target, its one function the module's entry; it stays until answered.
        """

    def answers(self, timeout_s: float) -> List[Answer]:
        """Those that have come, waiting up to `timeout_s` for the first."""

    def wakers(self) -> List[int]:
        """File descriptors that become readable when an answer may have come, for one wait over all; may be empty."""

    def close(self) -> None:
        """Ends processes and connections; candidates that are out are forgotten."""
