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

from harness.host.stats.detectable import detectable

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
    deviation: Optional[float] = None
    """Of the per-round differences of logs; None with fewer than 3 common rounds."""
    freedom: int = 0
    """Degrees of freedom of the deviation."""
    p_over_builds: Optional[float] = None
    """Of the test that the ratio is 1, where the interval covers builds; it says the same as the interval."""

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

    @property
    def half_width(self) -> Optional[float]:
        """Half the interval's length as a share of the ratio: 0.01 is 1 %. None where there is no interval."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2 / self.value

    @property
    def detectable(self) -> Optional[float]:
        """The smallest true ratio above 1 that so many rounds of this spread would have shown, nine times in ten."""
        return None if self.deviation is None else detectable(self.deviation, self.rounds, self.freedom)

    @property
    def p(self) -> Optional[float]:
        """Of the test that the ratio is 1, two-sided, Student's unless it covers builds; None without an interval."""
        if self.deviation is None:
            return self.p_over_builds
        if self.deviation == 0:
            return 1.0 if self.value == 1 else 0.0
        t = math.log(self.value) / self.deviation * math.sqrt(self.rounds)
        return float(2 * stats.t.sf(abs(t), self.freedom))


class Spread(NamedTuple):
    """How far the differences of one run, or of each of many, scatter; figures or arrays of figures."""

    deviation: "numpy.ndarray"
    freedom: int
    half_width: "numpy.ndarray"
    """Of the interval of their mean."""


def ratio(
    ours_ns: Mapping[int, float], baseline_ns: Mapping[int, float], confidence: float = 0.95, pilot: int = 0
) -> Optional[Ratio]:
    """From the median of each round, by round; None without a common round.

    `pilot` is the last round of those that decided how many rounds there are; 0 where the plan did.
    """
    common = sorted(set(ours_ns) & set(baseline_ns))
    if not common:
        return None
    differences = numpy.array([math.log(ours_ns[one]) - math.log(baseline_ns[one]) for one in common])
    mean, dropped = float(differences.mean()), len(set(ours_ns) ^ set(baseline_ns))
    per_round = [math.exp(one) for one in differences]
    if len(common) < LEAST_ROUNDS:
        return Ratio(math.exp(mean), None, None, per_round, dropped)
    found = spread(differences, confidence, sum(one <= pilot for one in common))
    half = float(found.half_width)
    return Ratio(
        value=math.exp(mean),
        low=math.exp(mean - half),
        high=math.exp(mean + half),
        per_round=per_round,
        dropped=dropped,
        deviation=float(found.deviation),
        freedom=found.freedom,
    )


def spread(differences: "numpy.ndarray", confidence: float = 0.95, pilot: int = 0) -> Spread:
    """Half-width t(1 - alpha/2, df) * s / sqrt(rounds); rounds are the last axis, at least 3 of them.

    Without a pilot s is the sample's deviation and df = rounds - 1. Where the spread of the first `pilot` rounds
    decided how many more there are, what they spread among themselves is left out of s, and df = rounds - pilot: s is
    then independent of that decision and of the mean (which is over all rounds), so the interval covers exactly what it
    says, whatever the pilot decided. (With all rounds in s, runs end where the pilot happened to agree, and a 95 %
    interval covered as little as 93 %.) The decomposition is Helmert's; two stages at all: Stein, Annals of
    Mathematical Statistics 16 (1945), who keeps the pilot's deviation and leaves out the others'.
    """
    rounds = differences.shape[-1]
    squares = ((differences - differences.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    freedom = rounds - 1
    if 1 < pilot < rounds:
        first = differences[..., :pilot]
        squares = squares - ((first - first.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
        freedom = rounds - pilot
    deviation = numpy.sqrt(numpy.maximum(squares, 0) / freedom)
    t = float(stats.t.ppf((1 + confidence) / 2, freedom))
    return Spread(deviation, freedom, t * deviation / math.sqrt(rounds))


def half_width(differences: "numpy.ndarray", confidence: float = 0.95) -> Optional[float]:
    """Of one run whose rounds the plan decided; None with fewer than 3."""
    return float(spread(differences, confidence).half_width) if len(differences) >= LEAST_ROUNDS else None


def rounds_for(per_round: List[float], wanted: float, confidence: float = 0.95, most: int = 1000) -> Optional[int]:
    """Fewest rounds of the spread seen whose interval is expected to reach no further than `wanted` (0.02 is 2 %).

    None where fewer than 3 rounds show no spread, or `most` would not do.
    """
    if len(per_round) < LEAST_ROUNDS:
        return None
    deviation = float(numpy.std(numpy.log(per_round), ddof=1))
    for rounds in range(LEAST_ROUNDS, most + 1):
        if float(stats.t.ppf((1 + confidence) / 2, rounds - 1)) * deviation / math.sqrt(rounds) <= math.log1p(wanted):
            return rounds
    return None
