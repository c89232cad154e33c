"""Verdicts: each run of a series against the earlier ones under the same conditions."""

from typing import Dict, List, NamedTuple, Optional, Sequence

from harness.host.history.series import Point, Series
from harness.host.stats.welch import Change

SLOWER, FASTER, SAME = "slower", "faster", "no change shown"
FIRST, FEW, MISSING = "nothing before it", "no verdict: fewer than 3 rounds", "not measured"
WRONG = "not judged: no valid round"


class Judged(NamedTuple):
    point: Point
    change: Optional[Change]
    """None where there is nothing to compare, or nothing to compare it with."""
    verdict: str


class History(NamedTuple):
    series: Dict[Series, List[Judged]]
    """In the order of time."""
    damage: List[str]
    """What could not be read, by run."""


def judge(points: Sequence[Point], threshold: float) -> List[Judged]:
    """`threshold` is a share: what is slower by less is not slower."""
    return [_one(point, threshold) for point in points]


def _one(point: Point, threshold: float) -> Judged:
    if point.log_mean is None:
        return Judged(point, None, WRONG if point.samples else MISSING)
    if point.ratio is None:
        return Judged(point, None, FIRST)
    found = Change(point.ratio, point.low, point.high)
    if found.low is None:
        return Judged(point, found, FEW)
    slower, faster = found.slower_than(threshold), found.faster_than(threshold)
    return Judged(point, found, SLOWER if slower else FASTER if faster else SAME)


def newest(points: Sequence[Judged]) -> Optional[Judged]:
    """The last one that has valid rounds; None where none has."""
    return next((one for one in reversed(points) if one.point.log_mean is not None), None)


def regressions(history: History) -> Dict[Series, Judged]:
    """Those with a slower newest run; what computes nothing moves with the interpreter and is nobody's regression."""
    last = {series: newest(points) for series, points in history.series.items()}
    return {
        series: one for series, one in last.items() if one is not None and one.verdict == SLOWER and one.point.computes
    }
