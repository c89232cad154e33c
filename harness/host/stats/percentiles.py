"""What n samples can say of a percentile without knowing the distribution: bounds by order statistics.

They assume independent samples. Iterations of one process are not quite that, so whoever prints a bound says so.
Source: David and Nagaraja, Order Statistics, 3rd ed., 7.1 (the count of samples below a quantile is binomial).
"""

import math
from typing import NamedTuple, Optional, Sequence

import numpy
from scipy import stats


class Bounds(NamedTuple):
    """Ranks from 1 of the ordered samples; None where n samples bound it on no side."""

    lower: Optional[int]
    upper: Optional[int]


def bounds(n: int, percentile: float, confidence: float = 0.95) -> Bounds:
    """The narrowest two-sided bounds with (1 - confidence) / 2 on either side.

    Lower: the largest r with P(Bin(n, p) <= r - 1) <= tail. Upper: the smallest r with P(Bin(n, p) >= r) <= tail.
    """
    tail, share = (1 - confidence) / 2, percentile / 100
    ranks = numpy.arange(1, n + 1)
    below = ranks[stats.binom.cdf(ranks - 1, n, share) <= tail]
    above = ranks[stats.binom.sf(ranks - 1, n, share) <= tail]
    return Bounds(int(below[-1]) if len(below) else None, int(above[0]) if len(above) else None)


def needed(percentile: float, confidence: float = 0.95) -> int:
    """The fewest samples with which the largest bounds a percentile from above (two-sided, as in `bounds`)."""
    return math.ceil(math.log((1 - confidence) / 2) / math.log(percentile / 100))


def loadgen_queries(percentile: float, over: int = 1, confidence: float = 0.99) -> int:
    """The fewest queries with which MLPerf's load generator believes that a percentile meets a bound `over` miss.

    The smallest n with P(Bin(n, 1 - p) <= over) <= 1 - confidence: were the percentile really above the bound, so few
    of n queries would be so seldom. Source: MLPerf inference, loadgen/early_stopping.cc, at its tolerance of 0.
    """
    share, low, high = 1 - percentile / 100, over, over + 1
    while stats.binom.cdf(over, high, share) > 1 - confidence:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if stats.binom.cdf(over, middle, share) > 1 - confidence else (low, middle)
    return high


class PercentileBounds(NamedTuple):
    low_ns: Optional[float]
    high_ns: Optional[float]


def bound(samples_ns: Sequence[int], percentile: float) -> PercentileBounds:
    """The 95 % bounds of a percentile, as values."""
    ordered, ranks = sorted(samples_ns), bounds(len(samples_ns), percentile)
    return PercentileBounds(
        float(ordered[ranks.lower - 1]) if ranks.lower else None,
        float(ordered[ranks.upper - 1]) if ranks.upper else None,
    )
