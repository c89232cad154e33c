"""How many rounds an interval of a wanted width takes, fixed once from a pilot; nothing is looked at on the way.

A t interval that is looked at after every round until it is narrow enough covers 4 points less than it says: it stops
where the rounds happen to agree. So the number of rounds to add is fixed from the pilot's spread alone, then exactly
those rounds are measured, and one interval is taken (`ratio.spread`, whose deviation leaves the pilot's own out).

With a deviation s of n pilot rounds, that of m further rounds over s has an F distribution, so with a probability of
`sure` the half-width after m more is at most

    s * sqrt(F(sure; m, n - 1)) * t(1 - alpha/2, m) / sqrt(n + m)

Source: Harris, Horvitz and Mood, Journal of the American Statistical Association 43 (1948): sample sizes by F from a
preliminary estimate.
"""

import functools
import math
from typing import NamedTuple, Optional, Sequence

import numpy
from scipy import stats

LEAST_FURTHER = 3
MOST_ROUNDS = 1000
SURE = 0.9


class Pilot(NamedTuple):
    """What the pilot says of one ratio."""

    deviation: float
    """Of the per-round differences of log medians."""
    rounds: int
    """In which both were measured; at least 3."""


class Further(NamedTuple):
    needed: Optional[int]
    """Rounds to add until every half-width is as wanted; None where MOST_ROUNDS would not do."""
    added: int
    """What is really added: `needed`, or as many as the limit allows."""
    reach: float
    """The widest half-width then, as a share of its ratio, with a probability of SURE; infinite where none is added."""


def further(pilots: Sequence[Pilot], wanted: float, most: int) -> Further:
    """For every ratio of a run together; `wanted` is a half-width as a share of the ratio, `most` a limit of `added`.

    Fewer than 3 more rounds give no deviation worth the name: then none is added.
    """
    sure = 1 - (1 - SURE) / max(1, len(pilots))  # every ratio is to be narrow enough at once
    each = [int(additions(numpy.array(one.deviation), one.rounds, wanted, sure)) for one in pilots]
    needed = max(each, default=0) if all(one > 0 for one in each) else None
    added = min(most, MOST_ROUNDS if needed is None else needed)
    if added < LEAST_FURTHER:
        return Further(needed, 0, math.inf)
    return Further(needed, added, max(math.sinh(one.deviation * factors(one.rounds, sure)[added]) for one in pilots))


def additions(deviation: "numpy.ndarray", pilot: int, wanted: float, sure: float = SURE) -> "numpy.ndarray":
    """Rounds to add, at least 3, for many pilots at once; 0 where MOST_ROUNDS would not do."""
    with numpy.errstate(divide="ignore"):
        allowed = math.asinh(wanted) / deviation  # sinh(h) is the half-width of a ratio whose log has half-width h
    found = numpy.maximum(numpy.searchsorted(-factors(pilot, sure), -allowed), LEAST_FURTHER)
    return numpy.where(found <= MOST_ROUNDS, found, 0)


@functools.lru_cache(maxsize=256)
def factors(pilot: int, sure: float = SURE, confidence: float = 0.95) -> "numpy.ndarray":
    """Half-width over the pilot's deviation after 0, 1, ... MOST_ROUNDS further rounds; infinite below 3. It falls."""
    more = numpy.arange(LEAST_FURTHER, MOST_ROUNDS + 1)
    t = stats.t.ppf((1 + confidence) / 2, more)
    found = t * numpy.sqrt(stats.f.ppf(sure, more, pilot - 1) / (pilot + more))
    return numpy.concatenate([numpy.full(LEAST_FURTHER, numpy.inf), found])
