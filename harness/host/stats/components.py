"""How much of what moves comes with the build and how much with the round: one engine built several times.

Every round measures every build once, so builds and rounds cross: log median = mean + build + round + cell, each drawn
at random. What rounds have in common (the machine's minutes) is taken out; what is left in a cell is its own process.
Source: Searle, Casella and McCulloch, Variance Components (1992), ch. 4 (two-way crossed classification with random
effects, one observation a cell): the variances follow from the expected mean squares.
"""

import math
from typing import List, Mapping, NamedTuple, Optional, Sequence

import numpy
from scipy import stats

LEAST_BUILDS, LEAST_ROUNDS = 2, 2


class Components(NamedTuple):
    """Deviations of logs, so that 0.02 is 2 % of the time; one whose variance comes out below 0 is 0."""

    build: float
    round: float
    cell: float
    """Of a process that differs from others in neither build nor round."""
    p: float
    """Of so much between builds where they are all alike (F test, builds - 1 and (builds - 1)(rounds - 1) degrees)."""
    build_share_low: float
    build_share_high: float
    """95 % interval of build variance over build and cell variance; exact where all is normal."""
    builds: int
    rounds: int
    dropped: int
    """Rounds in which not every build was measured."""

    @property
    def build_share(self) -> float:
        whole = self.build**2 + self.cell**2
        return self.build**2 / whole if whole else 0.0

    def mean_deviation(self, builds: int, rounds: int) -> float:
        """Of the mean over so many builds measured in so many rounds: what more of either would help."""
        return math.sqrt(self.build**2 / builds + self.round**2 / rounds + self.cell**2 / (builds * rounds))


def components(medians_ns: Sequence[Mapping[int, float]], confidence: float = 0.95) -> Optional[Components]:
    """From the median of each round, one mapping a build; None below two builds, or two rounds that all of them have.

    For a ratio's components the medians of each build are divided by those of the baseline in the same round.
    """
    if len(medians_ns) < LEAST_BUILDS:
        return None
    seen = set().union(*medians_ns)
    common: List[int] = sorted(set.intersection(*(set(one) for one in medians_ns)))
    if len(common) < LEAST_ROUNDS:
        return None
    logs = numpy.log([[one[number] for number in common] for one in medians_ns])
    builds, rounds = logs.shape
    of_build, of_round = logs.mean(axis=1, keepdims=True), logs.mean(axis=0, keepdims=True)
    between = rounds * float(((of_build - logs.mean()) ** 2).sum()) / (builds - 1)
    across = builds * float(((of_round - logs.mean()) ** 2).sum()) / (rounds - 1)
    freedom = (builds - 1) * (rounds - 1)
    cell = float(((logs - of_build - of_round + logs.mean()) ** 2).sum()) / freedom
    f = between / cell if cell else math.inf if between else 1.0
    low, high = (
        f / float(stats.f.ppf(tail, builds - 1, freedom)) for tail in ((1 + confidence) / 2, (1 - confidence) / 2)
    )
    return Components(
        build=math.sqrt(max(0.0, between - cell) / rounds),
        round=math.sqrt(max(0.0, across - cell) / builds),
        cell=math.sqrt(cell),
        p=float(stats.f.sf(f, builds - 1, freedom)),
        build_share_low=_share((low - 1) / rounds),
        build_share_high=_share((high - 1) / rounds),
        builds=builds,
        rounds=rounds,
        dropped=len(seen) - len(common),
    )


def _share(odds: float) -> float:
    """x / (1 + x), never below 0."""
    return 0.0 if odds <= 0 else 1.0 if math.isinf(odds) else odds / (1 + odds)
