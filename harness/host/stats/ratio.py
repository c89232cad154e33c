"""How many times as long one experiment takes as another, and how sure that is. The round is the unit of inference.

Both cells of a round met the same minutes of the machine, so their log medians are subtracted; Student's t on those
differences, back-transformed, is the interval. (Pooled iterations of a process depend on each other: tests over them
call identical programs different in 23 to 60 % of tries on a shared machine. A bootstrap over five rounds is wrong
17 % of the time at a nominal 5 %.)
"""

import math
from typing import List, Mapping, NamedTuple, Optional

import numpy
from scipy import stats

LEAST_ROUNDS = 3


class Ratio(NamedTuple):
    value: float
    """exp(mean of the per-round differences): the geometric mean of the per-round ratios."""
    low: Optional[float]
    high: Optional[float]
    """The 95 % interval; None with fewer than 3 common rounds."""
    per_round: List[float]
    dropped: int
    """Rounds that only one of the two has."""

    @property
    def rounds(self) -> int:
        return len(self.per_round)

    @property
    def verdict(self) -> str:
        """`more time`, `less time`, `not distinguishable`, or `no verdict` where there is no interval."""
        if self.low is None or self.high is None:
            return "no verdict"
        if self.low > 1:
            return "more time"
        return "less time" if self.high < 1 else "not distinguishable"


def ratio(ours_ns: Mapping[int, float], baseline_ns: Mapping[int, float], confidence: float = 0.95) -> Optional[Ratio]:
    """From the median of each round, by round; None without a common round."""
    common = sorted(set(ours_ns) & set(baseline_ns))
    if not common:
        return None
    differences = numpy.array([math.log(ours_ns[one]) - math.log(baseline_ns[one]) for one in common])
    mean = float(differences.mean())
    half = half_width(differences, confidence)
    return Ratio(
        value=math.exp(mean),
        low=math.exp(mean - half) if half is not None else None,
        high=math.exp(mean + half) if half is not None else None,
        per_round=[math.exp(one) for one in differences],
        dropped=len(set(ours_ns) ^ set(baseline_ns)),
    )


def half_width(differences: "numpy.ndarray", confidence: float = 0.95) -> Optional[float]:
    """t(1 - alpha/2, df = rounds - 1) * s / sqrt(rounds); None with fewer than 3 rounds."""
    rounds = len(differences)
    if rounds < LEAST_ROUNDS:
        return None
    t = float(stats.t.ppf((1 + confidence) / 2, rounds - 1))
    return t * float(differences.std(ddof=1)) / math.sqrt(rounds)


def rounds_for(per_round: List[float], wanted: float, confidence: float = 0.95, most: int = 1000) -> Optional[int]:
    """Fewest rounds of the spread seen whose interval is expected to reach no further than `wanted` (0.02 is 2 %).

    None where fewer than 3 rounds show no spread, or `most` would not do.
    """
    if len(per_round) < LEAST_ROUNDS:
        return None
    spread = float(numpy.std(numpy.log(per_round), ddof=1))
    for rounds in range(LEAST_ROUNDS, most + 1):
        if float(stats.t.ppf((1 + confidence) / 2, rounds - 1)) * spread / math.sqrt(rounds) <= math.log1p(wanted):
            return rounds
    return None
