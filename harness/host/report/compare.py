"""Which rows may be held against each other, and against which baseline."""

from typing import List, NamedTuple, Optional, Sequence, Tuple

from harness.host.report.collect import Row
from harness.host.stats.ratio import Ratio, ratio

BASELINES = ("tensorrt", "onnxruntime")
"""The first of these that is there, unless the plan declares another."""


class Comparison(NamedTuple):
    row: Row
    baseline: Row
    ratio: Ratio
    """Time of `row` over time of `baseline`."""
    of: str
    """`backend`, or `threads` where one backend is held against itself."""


def comparisons(rows: Sequence[Row], declared: Optional[str], pilot: int = 0) -> List[Comparison]:
    """Every row against the baseline of its own setting; what differs in the setting is never compared.

    `pilot` is the run's: the last round of those that decided how many there are.
    """
    measured = [row for row in rows if row.ok and row.computes]
    found = []
    for row in measured:
        baseline = _baseline([other for other in measured if setting(other) == setting(row)], declared)
        if baseline is not None and baseline is not row:
            value = ratio(row.medians_ns, baseline.medians_ns, pilot=pilot)
            if value is not None:
                found.append(Comparison(row, baseline, value, "backend"))
    return found


def thread_comparisons(rows: Sequence[Row], pilot: int = 0) -> List[Comparison]:
    """Each backend with its most threads against itself with its fewest: what is left where there is one backend."""
    measured = [row for row in rows if row.ok and row.computes]
    found, seen = [], set()
    for row in measured:
        family = [other for other in measured if setting(other, threads=False) == setting(row, threads=False)]
        family = [other for other in family if other.experiment.build.backend == row.experiment.build.backend]
        key = (setting(row, threads=False), row.experiment.build.backend)
        fewest, most = min(family, key=_threads), max(family, key=_threads)
        if key in seen or _threads(fewest) == _threads(most):
            continue
        seen.add(key)
        value = ratio(most.medians_ns, fewest.medians_ns, pilot=pilot)
        if value is not None:
            found.append(Comparison(most, fewest, value, "threads"))
    return found


def setting(row: Row, threads: bool = True) -> Tuple[object, ...]:
    """All that two rows must share to be headlined against each other."""
    build, inference = row.experiment.build, row.experiment.inference
    shared = (build.model, build.precision, build.batch, row.experiment.system, inference.io_memory)
    return (*shared, inference.issue_mode, inference.threads if threads else None)


def _baseline(candidates: Sequence[Row], declared: Optional[str]) -> Optional[Row]:
    for name in (declared,) if declared is not None else BASELINES:
        for row in candidates:
            if row.experiment.build.backend == name:
                return row
    return None


def _threads(row: Row) -> int:
    return row.experiment.inference.threads
