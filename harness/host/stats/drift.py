"""Whether samples in the order of time get slower or faster, and by how much from the first to the last.

Two figures: the median of the last third over that of the first, which anyone can check by hand, and a robust slope
with an interval that knows that neighbouring samples are alike.
"""

import math
from typing import NamedTuple

import numpy
from scipy import stats

from harness.host.stats.memory import inefficiency

MOST_BLOCKS = 200
"""Longer series are reduced to the medians of so many blocks: slopes between all pairs would take too long."""
LEAST_SAMPLES = 10


class Drift(NamedTuple):
    """As shares of the median: 0.02 is 2 % slower at the end than at the beginning."""

    thirds: float
    slope: float
    """Of the whole length."""
    low: float
    high: float
    """The interval of the slope."""

    @property
    def seen(self) -> bool:
        """Whether the slope's interval leaves out 0."""
        return self.low > 0 or self.high < 0


def drift(samples: "numpy.ndarray", confidence: float = 0.99) -> Drift:
    """Of at least 10 samples.

    Slope: the median of the slopes between all pairs (Theil 1950); interval from Kendall's S by Sen, Journal of the
    American Statistical Association 63 (1968). Its variance n (n - 1) (2n + 5) / 18 holds for independent samples and
    is multiplied by what autocorrelation of the rest after the slope makes of it (as Hamed and Rao, J. of Hydrology
    204 (1998), and Yue and Wang, Water Resources Management 18 (2004), who differ in how they sum it).
    """
    values = blocks(numpy.asarray(samples, float), MOST_BLOCKS)
    n, middle = len(values), float(numpy.median(values))
    if middle == 0:
        return Drift(0.0, 0.0, 0.0, 0.0)
    first, second = numpy.triu_indices(n, 1)
    slopes = numpy.sort((values[second] - values[first]) / (second - first))
    slope = float(numpy.median(slopes))
    rest = values - slope * numpy.arange(n)
    variance = n * (n - 1) * (2 * n + 5) / 18 * inefficiency(rest)
    reach = float(stats.norm.ppf((1 + confidence) / 2)) * math.sqrt(variance)
    below = max(0, round((len(slopes) - reach) / 2) - 1)
    above = min(len(slopes) - 1, round((len(slopes) + reach) / 2))
    whole = (n - 1) / middle
    third = max(1, len(samples) // 3)
    last, begin = float(numpy.median(samples[-third:])), float(numpy.median(samples[:third]))
    return Drift(last / begin - 1 if begin else 0.0, slope * whole, slopes[below] * whole, slopes[above] * whole)


def blocks(values: "numpy.ndarray", most: int) -> "numpy.ndarray":
    """Medians of at most `most` blocks of equal length; what does not fill the last block is left out."""
    length = math.ceil(len(values) / most)
    if length == 1:
        return values
    whole = len(values) // length * length
    found: numpy.ndarray = numpy.median(values[:whole].reshape(-1, length), axis=1)
    return found


def trend(values: "numpy.ndarray") -> "numpy.ndarray":
    """p of the t test that the least-squares slope along the last axis is 0, two-sided; for rounds, of which there are
    too few for ranks. At least 3 values. Source: Draper and Smith, Applied Regression Analysis, 3rd ed., 1.4."""
    n = values.shape[-1]
    place = numpy.arange(n) - (n - 1) / 2
    away = values - values.mean(axis=-1, keepdims=True)
    r = numpy.divide(
        (place * away).sum(axis=-1),
        numpy.sqrt((place**2).sum() * (away**2).sum(axis=-1)),
        out=numpy.zeros(values.shape[:-1]),
        where=(away != 0).any(axis=-1),
    )
    with numpy.errstate(divide="ignore"):
        t = numpy.abs(r) * numpy.sqrt((n - 2) / numpy.maximum(1 - r**2, 0))
    found: numpy.ndarray = 2 * stats.t.sf(t, n - 2)
    return found
