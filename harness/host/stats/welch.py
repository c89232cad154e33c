"""How two runs differ that did not meet the same minutes: unpaired, on the round medians of logs.

Welch's t interval for a difference of means with unequal variances; degrees of freedom after Welch and Satterthwaite.
Source: Welch, Biometrika 34 (1947).
"""

import math
from typing import NamedTuple, Optional, Sequence

import numpy
from scipy import stats

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
    of_new, of_old = new.var(ddof=1) / len(new), old.var(ddof=1) / len(old)
    spread = float(of_new + of_old)
    if spread == 0:
        return Change(math.exp(difference), math.exp(difference), math.exp(difference))
    freedom = spread**2 / float(of_new**2 / (len(new) - 1) + of_old**2 / (len(old) - 1))
    half = float(stats.t.ppf((1 + confidence) / 2, freedom)) * math.sqrt(spread)
    return Change(math.exp(difference), math.exp(difference - half), math.exp(difference + half))
