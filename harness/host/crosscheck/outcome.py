"""What one crosscheck found: stored beside the cells of its experiment, with all that trtexec was told."""

from typing import List, Optional

from harness.crosscheck import TrtexecRun
from harness.records import SCHEMA, Experiment, Record

AGREES, LAUNCH, DIFFERS = "agrees", "agrees but for the launch", "differs"
"""Verdicts; the second: ours is longer, by no more than our enqueue takes."""


class Compared(Record, frozen=True):
    """One figure of ours and of trtexec."""

    quantity: str
    statistic: str
    """Which figure of the samples, and by whose rule."""
    unit: str
    ours: float
    """Of each round, and of those the middle one: trtexec ran once, which is a round."""
    low: float
    high: float
    """Of the rounds."""
    theirs: float
    bar: str = ""
    """What it had to keep, in words; empty where it is shown and not judged."""
    verdict: str = ""
    """One of the three above, where it is judged."""


class Crosscheck(Record, frozen=True, tag_field="kind", tag="crosscheck"):
    """How one experiment of a run was checked."""

    run: str
    experiment: Experiment
    engine: str
    """Key."""
    created_utc: str
    status: str
    """`ok` (it was compared, whatever came out), or why not: `skipped`, `failed`, `crashed`."""
    reason: str = ""
    trtexec: Optional[TrtexecRun] = None
    times_sha256: str = ""
    """Of trtexec's own file, kept beside this one."""
    left_out: int = 0
    """Queries at its start that count as warm-up."""
    compared: List[Compared] = []
    notes: List[str] = []
    """What a reader must know with these figures."""
    schema: int = SCHEMA

    @property
    def differs(self) -> bool:
        return any(one.verdict == DIFFERS for one in self.compared)
