"""How many times as long one engine takes as another where either was built several times: builds of one model differ.

A builder that times its candidates does not choose the same ones twice, so an interval over the rounds of one build
says nothing of the next. The model is log median = side + build + round + (side in that round) + process, each but the
side drawn at random; the ratio is exp of the difference of the sides' means over builds and common rounds, in which the
rounds themselves cancel. Two things are left that move it, and repeating the one does not show the other:

* which builds were made: v_b = s_1^2 / K_1 + s_2^2 / K_2, of each build's mean over the rounds of its log medians;
* what a round did to one side more than to the other: v_r = s_d^2 / R, of each round's difference of the sides' means
  over builds of log medians.

The half-width is t sqrt(v_b + v_r), with Satterthwaite's degrees of freedom over the three parts (`welch.py`), and
never less than Welch's over the builds alone or Student's over the rounds alone, which his approximation can undercut
with so few builds. The noise of processes stands in both parts: where there is nothing else, the interval is too wide,
never too narrow. (Simulated: the wider of the two alone covers 90 % where both matter, the rounds of one build 40 to
80 %; `tests/test_builds.py`.)

Where one side has a single build only the rounds are left: the interval covers those very engines, not the next build.
"""

import math
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import numpy

from harness.host.stats.ratio import Ratio, ratio
from harness.host.stats.welch import half_width, p_value

LEAST_BUILDS = 2
"""Of either side, for an interval that covers builds."""
Side = Sequence[Mapping[int, float]]
"""The median of each round, by round; one mapping a build."""


def ratio_of_builds(ours_ns: Side, baseline_ns: Side, confidence: float = 0.95, pilot: int = 0) -> Optional[Ratio]:
    """None without a round that every build has; no interval with fewer than three. `pilot` as in `ratio.ratio`.

    Where the interval covers builds, there is no deviation: that of the rounds alone would promise too much.
    """
    common = _common(ours_ns, baseline_ns)
    found = ratio(_mean(ours_ns, common), _mean(baseline_ns, common), confidence, pilot)
    if found is None:
        return None
    found = found._replace(dropped=len(set().union(*ours_ns, *baseline_ns)) - len(common))
    if found.deviation is None or not covers_builds(len(ours_ns), len(baseline_ns)):
        return found
    builds = [_of_builds(side, common) for side in (ours_ns, baseline_ns)]
    rounds = (found.deviation**2 / len(common), found.freedom)
    either = (builds, [rounds], [*builds, rounds])
    half = max(half_width(some, confidence) for some in either)
    low, high = found.value * math.exp(-half), found.value * math.exp(half)
    # The widest interval leaves out 1 where each of them does, so its test is the one with the largest p.
    p = max(p_value(math.log(found.value), some) for some in either)
    return found._replace(low=low, high=high, deviation=None, freedom=0, p_over_builds=p)


def covers_builds(ours: int, baseline: int) -> bool:
    """Whether the interval of so many builds says something of the next build, too."""
    return min(ours, baseline) >= LEAST_BUILDS


def builds_for(
    ours_ns: Side, baseline_ns: Side, wanted: float, confidence: float = 0.95, most: int = 100
) -> Optional[int]:
    """Fewest builds of both sides, spread as these are, whose interval is expected to reach no further than `wanted`.

    That is a share of the ratio (0.02 is 2 %), in as many rounds as there are. None where too few builds or rounds show
    no spread, or `most` would not do.
    """
    common = _common(ours_ns, baseline_ns)
    found = ratio(_mean(ours_ns, common), _mean(baseline_ns, common), confidence)
    if found is None or found.deviation is None or not covers_builds(len(ours_ns), len(baseline_ns)):
        return None
    rounds = (found.deviation**2 / len(common), found.freedom)
    spreads = [variance * len(side) for side in (ours_ns, baseline_ns) for variance, _ in [_of_builds(side, common)]]
    for builds in range(LEAST_BUILDS, most + 1):
        parts = [*((spread / builds, builds - 1) for spread in spreads), rounds]
        if half_width(parts, confidence) <= math.log1p(wanted):
            return builds
    return None


def _common(*sides: Side) -> List[int]:
    return sorted(set.intersection(*(set(one) for side in sides for one in side)))


def _of_builds(side: Side, rounds: List[int]) -> Tuple[float, int]:
    """Variance of the mean over builds of their means over `rounds`, and its degrees of freedom."""
    means = [sum(math.log(one[number]) for number in rounds) / len(rounds) for one in side]
    return float(numpy.var(means, ddof=1)) / len(means), len(means) - 1


def _mean(side: Side, rounds: List[int]) -> Dict[int, float]:
    """Of each round: the geometric mean of the builds."""
    return {number: math.exp(sum(math.log(one[number]) for one in side) / len(side)) for number in rounds}
