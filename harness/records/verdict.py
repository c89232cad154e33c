"""Floor: what is said of a cell beside its times: may they be believed, and did the hardware hold something back."""

from typing import List, Optional

from harness.records.record import Record

VALID, INVALID = "VALID", "INVALID"
"""Of integrity: whether the times are what they claim to be."""
CLEAN, LIMITED, UNKNOWN = "CLEAN", "LIMITED", "UNKNOWN"
"""Of the hardware: whether it ran as its mode allows. What nothing was seen of is unknown, never clean."""
NOTE = "NOTE"
"""Weight of a cause that a reader should know and that changes no verdict."""
WEIGHTS = (NOTE, VALID, CLEAN, UNKNOWN, LIMITED, INVALID)
"""From the lightest: a verdict is the heaviest of its causes."""


class Cause(Record, frozen=True):
    """One thing that a verdict rests on."""

    code: str
    """One word or two, the same for every cell: `over-current`."""
    weight: str
    reason: str
    advice: str = ""
    share: Optional[float] = None
    """Of the iterations that it affected, 0 to 1; None where it is not a matter of moments."""


class Verdict(Record, frozen=True):
    """The heaviest of its causes; a cell is marked with it, never dropped for it."""

    verdict: str
    causes: List[Cause] = []

    def __post_init__(self) -> None:
        for weight in (self.verdict, *(cause.weight for cause in self.causes)):
            if weight not in WEIGHTS:
                raise ValueError(f"{weight!r} is none of {', '.join(WEIGHTS)}")


def heaviest(best: str, causes: List[Cause]) -> Verdict:
    """`best` where no cause weighs more."""
    return Verdict(verdict=max([best, *(cause.weight for cause in causes)], key=WEIGHTS.index), causes=causes)
