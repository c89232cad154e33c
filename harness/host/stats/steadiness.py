"""Flags: what of a run does not go with how its figures are computed. Nothing is left out for one.

Two kinds. Of the rounds of a comparison: the interval takes them for independent draws from one normal distribution,
and each flag is a test of that, which is wrong in 1 of 100 runs (of independence in 1 of 40: it is what matters most).
Of the iterations of a cell: drift, changes of level, outliers and memory, which say what its median stands for.
"""

import math
from typing import List, NamedTuple, Optional, Sequence

import numpy
from scipy import stats

from harness.host.stats.change_points import LEAST_STEP, ChangePoint, change_points
from harness.host.stats.drift import LEAST_SAMPLES, Drift, drift, trend
from harness.host.stats.memory import LEAST_SAMPLES as LEAST_REMEMBERED
from harness.host.stats.memory import alike_to_next, effective_size
from harness.host.stats.outliers import outliers

LEVEL, LEVEL_OF_MEMORY = 0.01, 0.025
LEAST_ROUNDS = 4
"""Three rounds cannot contradict a normal distribution."""
NOTHING = 1e-9
"""Differences of logs that differ by less are the same: no clock resolves a billionth of an inference."""


class RoundFlags(NamedTuple):
    """Of one run, or arrays with an entry for each of many."""

    apart: "numpy.ndarray"
    """One round lies further from the others than a normal distribution allows."""
    trend: "numpy.ndarray"
    """The differences rise or fall from the first round to the last."""
    remembers: "numpy.ndarray"
    """Neighbouring rounds are too alike to be independent; never said of fewer than 8 rounds."""
    few: bool
    """Fewer than 8 rounds: nobody can see whether they depend on each other."""

    @property
    def any(self) -> "numpy.ndarray":
        found: numpy.ndarray = self.apart | self.trend | self.remembers
        return found


def of_rounds(differences: "numpy.ndarray") -> RoundFlags:
    """Of the per-round differences of log medians, along the last axis; nothing is flagged below 4 rounds."""
    rounds = differences.shape[-1]
    nothing = numpy.zeros(differences.shape[:-1], bool)
    if rounds < LEAST_ROUNDS:
        return RoundFlags(nothing, nothing, nothing, True)
    few = rounds < LEAST_REMEMBERED
    moves = numpy.ptp(differences, axis=-1) > NOTHING
    memory = nothing if few else alike_to_next(differences) > stats.norm.isf(LEVEL_OF_MEMORY)
    return RoundFlags(_apart(differences) & moves, (trend(differences) < LEVEL) & moves, memory & moves, few)


def _apart(values: "numpy.ndarray") -> "numpy.ndarray":
    """Grubbs' test for one outlier on either side. Source: Grubbs, Technometrics 11 (1969)."""
    n = values.shape[-1]
    away = numpy.abs(values - values.mean(axis=-1, keepdims=True)).max(axis=-1)
    t = float(stats.t.isf(LEVEL / (2 * n), n - 2))
    critical = (n - 1) / math.sqrt(n) * math.sqrt(t**2 / (n - 2 + t**2))
    found: numpy.ndarray = away > critical * values.std(axis=-1, ddof=1)
    return found


class CellFlags(NamedTuple):
    """What the iterations of one process say in the order of time."""

    iterations: int
    effective: float
    """How many independent iterations would say as much of their mean."""
    outliers: int
    drift: Optional[Drift]
    """None with fewer than 10 iterations."""
    changes: List[ChangePoint]

    @property
    def drifts(self) -> bool:
        """By a hundredth and more, and surely."""
        return self.drift is not None and self.drift.seen and abs(self.drift.slope) >= LEAST_STEP


def of_cell(samples_ns: Sequence[int]) -> CellFlags:
    values = numpy.asarray(samples_ns, float)
    return CellFlags(
        iterations=len(values),
        effective=effective_size(values),
        outliers=int(outliers(values).sum()),
        drift=drift(values) if len(values) >= LEAST_SAMPLES else None,
        changes=change_points(values),
    )
