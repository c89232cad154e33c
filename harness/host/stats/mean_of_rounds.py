"""The mean of a quantity over rounds when each round's own value is uncertain, too; the round is the unit.

Two parts, added in squares: how far rounds differ (Student's t on their values, which holds all that changes from one
round to the next), and the rounds' own standard uncertainty, twice. The second does not shrink with the number of
rounds: a sensor that is late is late in all of them. Where rounds differ by their own noise alone it is counted twice,
so the interval is too wide then, never too narrow. Source: JCGM 100:2008, 4.2 (type A), 4.3 (type B), 5.1.
"""

import math
from typing import NamedTuple, Sequence

import numpy

from harness.host.stats.ratio import half_width

COVERAGE = 2.0
"""Standard uncertainties to a half-width of about 95 %."""


class MeanOfRounds(NamedTuple):
    value: float
    half: float
    """Of the interval of about 95 %; with fewer than 3 rounds how far rounds differ is not in it."""
    rounds: int


def mean_of_rounds(values: Sequence[float], uncertainties: Sequence[float]) -> MeanOfRounds:
    """At least one round; `uncertainties` are standard ones, one a value."""
    own = COVERAGE * math.sqrt(float(numpy.mean(numpy.square(uncertainties))))
    between = half_width(numpy.asarray(values, float))
    return MeanOfRounds(float(numpy.mean(values)), math.hypot(own, between or 0.0), len(values))
