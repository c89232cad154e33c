"""The smallest difference that a run could have shown: what "not distinguishable" is worth.

From the run's own noise and number of rounds alone, never from the difference it saw (power computed from the effect
seen says nothing that the p-value does not: Hoenig and Heisey, The American Statistician 55 (2001)).
"""

import functools
import math

import numpy
from scipy import optimize, special, stats

PLACES, WEIGHTS = numpy.polynomial.legendre.leggauss(200)
"""Of the integral over the deviation that a run may find; more change nothing in the first six digits."""


def detectable(deviation: float, rounds: int, freedom: int, power: float = 0.9, confidence: float = 0.95) -> float:
    """The true ratio above 1 that is called more time with this power; its inverse is called less time as often.

    `deviation` is that of the per-round differences of log medians, with so many degrees of freedom.
    """
    return math.exp(shift(freedom, power, confidence) * deviation / math.sqrt(rounds))


@functools.lru_cache(maxsize=4096)
def shift(freedom: int, power: float = 0.9, confidence: float = 0.95) -> float:
    """How many standard errors of the mean a true difference must be away from nothing.

    The statistic of a t test then has a noncentral t distribution; this solves P(|T| > t(1 - alpha/2)) = power for its
    noncentrality. T = (Z + noncentrality) / s with s^2 a chi-square over its degrees of freedom, so that probability is
    a mean of normal ones over s (Gauss and Legendre over the quantiles of s; scipy's own noncentral t is not a number
    for some values with few degrees of freedom). Source: Cohen, Statistical Power Analysis for the Behavioral Sciences,
    2nd ed., ch. 2.
    """
    critical = float(stats.t.ppf((1 + confidence) / 2, freedom))
    bars = critical * numpy.sqrt(stats.chi2.ppf((PLACES + 1) / 2, freedom) / freedom)

    def over(noncentrality: float) -> float:
        found = special.ndtr(noncentrality - bars) + special.ndtr(-noncentrality - bars)
        return float(WEIGHTS @ found) / 2 - power

    high = critical
    while over(high) < 0:
        high *= 2
    return float(optimize.brentq(over, 0.0, high, xtol=1e-9))
