"""Where samples in the order of time change their level for good: a clock that fell, a neighbour that came.

Binary segmentation (Scott and Knott, Biometrics 30 (1974)), with intervals laid out beforehand (after Kovács and
others, Biometrika 110 (2023)): the whole and three overlapping halves of it are searched for their best split; the
clearest is taken if it is clear enough, and both sides of it are searched anew. (A search of the whole alone misses a
level that comes and goes again; in shorter intervals memory cannot be told from a change.) The statistic is Pettitt's
(Applied Statistics 28 (1979)), of ranks, because a single slow iteration is no change of level.

Packages for this want a penalty where a reader wants to know how often such a flag is wrong, and take neighbouring
samples for independent.
"""

import math
from typing import Iterator, List, NamedTuple, Tuple

import numpy
from scipy import stats

from harness.host.stats.drift import MOST_BLOCKS, blocks
from harness.host.stats.memory import inefficiency

LEVEL = 0.01
"""How often a series without a change is said to have one, all intervals together (Bonferroni). Of 100 samples each of
which remembers 0.8 of the one before it is 7 in 100, for memory is then known too roughly; of 1000 it is 1 in 100."""
LEAST_LENGTH = 10
"""Of either side of a change."""
LEAST_STEP = 0.01
"""Of the level before; a smaller one is no news to anybody, however certain."""


class ChangePoint(NamedTuple):
    at: int
    """The first sample of the new level, counted from 0; in a series of more than 200, to the block."""
    step: float
    """New level over old, less 1."""


def change_points(samples: "numpy.ndarray") -> List[ChangePoint]:
    """In the order of time; levels are medians between neighbouring changes."""
    values = numpy.asarray(samples, float)
    short = blocks(values, MOST_BLOCKS)
    length = math.ceil(len(values) / MOST_BLOCKS) if len(short) < len(values) else 1
    splits = [at * length for at in _splits(short, 0)]
    edges = [0, *splits, len(values)]
    levels = [float(numpy.median(values[start:end])) for start, end in zip(edges, edges[1:])]
    found = [ChangePoint(at, new / old - 1 if old else 0.0) for at, old, new in zip(splits, levels, levels[1:])]
    return [one for one in found if abs(one.step) >= LEAST_STEP]


def _splits(values: "numpy.ndarray", start: int) -> List[int]:
    intervals = list(_intervals(len(values)))
    if not intervals:
        return []
    tried = [(begin, *best_split(values[begin:end])) for begin, end in intervals]
    begin, at, p = min(tried, key=lambda one: one[2])
    if p >= LEVEL / len(intervals):
        return []
    middle = begin + at
    return [*_splits(values[:middle], start), start + middle, *_splits(values[middle:], start + middle)]


def _intervals(n: int) -> Iterator[Tuple[int, int]]:
    """The whole and its halves from the beginning, the middle and to the end, as far as they have two sides."""
    if n >= 2 * LEAST_LENGTH:
        yield 0, n
    half = (n + 1) // 2
    if half >= 2 * LEAST_LENGTH:
        yield from ((begin, begin + half) for begin in (0, n // 4, n - half))


def best_split(values: "numpy.ndarray") -> Tuple[int, float]:
    """Length of the first part, and the probability of so clear a split where there is none.

    K = max |U(t)|, U(t) = 2 * (sum of the first t ranks) - t (n + 1); p is about 2 exp(-6 K^2 / (n^3 + n^2)), where the
    divisor is multiplied by what autocorrelation within the two parts makes of the variance. Ranks say surely whether
    there is a split and roughly where (they lean to the middle); the place is that of least squares.
    """
    n = len(values)
    count = numpy.arange(1, n + 1)
    u = 2 * numpy.cumsum(stats.rankdata(values)) - count * (n + 1)
    inside = numpy.abs(u[LEAST_LENGTH - 1 : n - LEAST_LENGTH])
    at = _place(values)
    rest = numpy.concatenate([values[:at] - numpy.median(values[:at]), values[at:] - numpy.median(values[at:])])
    k = float(inside.max())
    return at, min(1.0, 2 * math.exp(-6 * k**2 / ((n**3 + n**2) * inefficiency(rest))))


def _place(values: "numpy.ndarray") -> int:
    """Where two means leave the least squares; outliers are drawn in first, or they would be the places."""
    drawn_in = numpy.clip(values, *numpy.percentile(values, [2, 98]))
    sums, squares = (numpy.cumsum(drawn_in**power) for power in (1, 2))
    first = numpy.arange(LEAST_LENGTH, len(values) - LEAST_LENGTH + 1)
    second = len(values) - first
    explained = sums[first - 1] ** 2 / first + (sums[-1] - sums[first - 1]) ** 2 / second
    return int((squares[-1] - explained).argmin()) + LEAST_LENGTH
