"""How two runs differ that did not meet the same minutes: unpaired, on the round medians of logs.

Welch's t interval for a difference of means with unequal variances; degrees of freedom after Welch and Satterthwaite.
Sources: Welch, Biometrika 34 (1947); Satterthwaite, Biometrics Bulletin 2 (1946).
"""

import math
from typing import NamedTuple, Optional, Sequence, Tuple

import numpy

LEAST_ROUNDS = 3


class Change(NamedTuple):
    value: float
    """New over old: the ratio of the geometric means of the rounds' medians."""
    low: Optional[float]
    high: Optional[float]
    """The 95 % interval; None where either run has fewer than 3 rounds."""

    def slower_than(self, threshold: float) -> bool:
        """Slower beyond the interval and by more than `threshold` (0.02 is 2 %)."""
        return self.low is not None and self.low > 1 and self.value > 1 + threshold

    def faster_than(self, threshold: float) -> bool:
        return self.high is not None and self.high < 1 and self.value < 1 - threshold


def change(new_ns: Sequence[float], old_ns: Sequence[float], confidence: float = 0.95) -> Change:
    """From the median of each round of either run; at least one round each."""
    new, old = numpy.log(numpy.asarray(new_ns, float)), numpy.log(numpy.asarray(old_ns, float))
    difference = float(new.mean() - old.mean())
    if min(len(new), len(old)) < LEAST_ROUNDS:
        return Change(math.exp(difference), None, None)
    half = half_width([(float(one.var(ddof=1)) / len(one), len(one) - 1) for one in (new, old)], confidence)
    return Change(math.exp(difference), math.exp(difference - half), math.exp(difference + half))


def half_width(parts: Sequence[Tuple[float, int]], confidence: float = 0.95) -> float:
    """t(1 - alpha/2, df) sqrt(sum v), of a sum or difference of independent means.

    `parts` are the variance v of each mean and its degrees of freedom; df = (sum v)^2 / sum(v^2 / degrees).
    """
    from scipy import special  # here and not stats: a history seldom needs it, and waits a second for the other

    spread, freedom = _sum(parts)
    return float(special.stdtrit(freedom, (1 + confidence) / 2)) * math.sqrt(spread) if spread else 0.0


def p_value(difference: float, parts: Sequence[Tuple[float, int]]) -> float:
    """Of so large a difference where there is none, two-sided: below 5 % where the 95 % interval leaves out 0."""
    from scipy import special

    spread, freedom = _sum(parts)
    if not spread:
        return 0.0 if difference else 1.0
    return 2 * float(special.stdtr(freedom, -abs(difference) / math.sqrt(spread)))


def _sum(parts: Sequence[Tuple[float, int]]) -> Tuple[float, float]:
    """Variance of the sum, and its degrees of freedom; 0 of them where nothing varies."""
    spread = sum(variance for variance, _ in parts)
    squares = sum(variance**2 / degrees for variance, degrees in parts)
    return spread, spread**2 / squares if squares else 0.0
