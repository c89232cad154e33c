"""Ratios over several builds of an engine: by hand, what the interval covers, and its coverage by simulation."""

import math
from typing import Dict, List, Tuple

import numpy
import pytest
from scipy import stats

from harness.host.stats.builds import builds_for, covers_builds, ratio_of_builds
from harness.host.stats.rate import rate
from harness.host.stats.ratio import ratio
from harness.host.stats.welch import half_width

ROUNDS = (0.0, 0.3, -0.1)
"""What the minutes of a round do to every cell of it."""


def side(builds: List[float], rounds: Tuple[float, ...] = ROUNDS, start: float = 15.0) -> List[Dict[int, float]]:
    """Builds that differ by these logs, and nothing else."""
    return [{number: math.exp(start + build + one) for number, one in enumerate(rounds, 1)} for build in builds]


def test_over_builds_by_hand() -> None:
    """s = 0.02 on either side, v = 2 * 0.0004 / 3, df = 4, t(0.975, 4) = 2.776445; the rounds agree, v_r = 0."""
    found = ratio_of_builds(side([0.10, 0.12, 0.14]), side([-0.02, 0.00, 0.02]))
    assert found is not None and found.low is not None and found.high is not None
    assert math.log(found.value) == pytest.approx(0.12)
    half = 2.776445 * math.sqrt(2 * 0.0004 / 3)
    assert math.log(found.high / found.value) == pytest.approx(half, abs=1e-7)
    assert math.log(found.value / found.low) == pytest.approx(half, abs=1e-7)
    assert found.per_round == pytest.approx([math.exp(0.12)] * 3)
    assert (found.rounds, found.dropped) == (3, 0)


def test_unequal_numbers_of_builds_by_hand() -> None:
    """v = 0.0004 / 3 + 0.0002 / 2; df = v^2 / ((0.0004 / 3)^2 / 2 + 0.0001^2) = 2.882353."""
    found = ratio_of_builds(side([0.10, 0.12, 0.14]), side([0.00, 0.02]))
    assert found is not None and found.high is not None
    assert math.log(found.value) == pytest.approx(0.11)
    half = stats.t.ppf(0.975, 2.882353) * math.sqrt(0.0004 / 3 + 0.0001)
    assert math.log(found.high / found.value) == pytest.approx(half, rel=1e-6)


def test_what_a_round_does_to_one_side_counts_though_builds_agree() -> None:
    """Differences of the rounds 0.1, 0.2, 0.3: s = 0.1, t(0.975, 2) = 4.302653, builds all alike."""
    ours = side([0.0, 0.0], (0.1, 0.5, 0.2))
    found = ratio_of_builds(ours, side([0.0, 0.0]))
    assert found is not None and found.high is not None
    assert math.log(found.value) == pytest.approx(0.2)
    assert math.log(found.high / found.value) == pytest.approx(4.302653 * 0.1 / math.sqrt(3), abs=1e-6)


def test_both_add_up_and_neither_makes_the_interval_narrower() -> None:
    ours, theirs = side([0.00, 0.02, 0.04], (0.01, 0.33, -0.10)), side([0.01, 0.02, 0.03])
    found = ratio_of_builds(ours, theirs)
    assert found is not None and found.high is not None
    between, within = [(0.0004 / 3, 2), (0.0001 / 3, 2)], (0.000233333 / 3, 2)
    both = half_width([*between, within])
    assert math.log(found.high / found.value) == pytest.approx(max(both, half_width(between), half_width([within])))
    assert both**2 > 0.0004 / 3 + 0.0001 / 3 + 0.000233333 / 3


@pytest.mark.parametrize(("ours", "theirs"), [(1, 3), (3, 1), (1, 1)])
def test_with_one_build_of_a_side_only_its_rounds_are_covered(ours: int, theirs: int) -> None:
    first, second = side([0.01 * number for number in range(ours)]), side([0.02 * number for number in range(theirs)])
    first[0][2] *= 1.01
    assert not covers_builds(ours, theirs)
    assert covers_builds(2, 2)

    def mean(of: List[Dict[int, float]]) -> Dict[int, float]:
        return {number: math.exp(numpy.mean([math.log(one[number]) for one in of])) for number in (1, 2, 3)}

    plain, found = ratio(mean(first), mean(second)), ratio_of_builds(first, second)
    assert plain is not None and found is not None
    assert found[:3] == pytest.approx(plain[:3])
    assert found.deviation == plain.deviation


def test_rounds_that_a_build_lacks_are_dropped_and_two_are_too_few() -> None:
    ours, theirs = side([0.0, 0.1], (0.0, 0.1, 0.2, 0.3)), side([0.0, 0.0], (0.0, 0.1, 0.2, 0.3))
    del ours[1][2]
    found = ratio_of_builds(ours, theirs)
    assert found is not None
    assert (found.rounds, found.dropped) == (3, 1)
    assert found.low is not None
    del theirs[0][1]
    found = ratio_of_builds(ours, theirs)
    assert found is not None
    assert (found.rounds, found.low, found.verdict) == (2, None, "no verdict")
    assert ratio_of_builds([{1: 1.0}], [{2: 1.0}]) is None


def test_how_many_builds_would_do() -> None:
    """s of 2 % on either side, rounds that agree: t(0.975, 2 (K - 1)) 0.02 sqrt(2 / K) <= log 1.02 first at K = 10."""
    found = builds_for(side([-0.02, 0.0, 0.02]), side([-0.02, 0.0, 0.02]), 0.02)
    assert found == 10
    assert builds_for(side([0.0]), side([0.0, 0.1]), 0.02) is None
    assert builds_for(side([-0.02, 0.0, 0.02]), side([-0.02, 0.0, 0.02]), 1e-6) is None


def simulated(
    chance: numpy.random.RandomState, builds: Tuple[int, int], rounds: int, by: Tuple[float, float, float, float]
) -> List[List[Dict[int, float]]]:
    """Sides of one speed. `by`: deviations of our builds, of their builds, of a side in a round, of a process."""
    minutes, sides = chance.normal(0, 0.05, rounds), []
    for count, between in zip(builds, by):
        own = minutes + chance.normal(0, by[2], rounds)
        logs = chance.normal(0, between, (count, 1)) + own + chance.normal(0, by[3], (count, rounds))
        sides.append([dict(enumerate(numpy.exp(15 + one))) for one in logs])
    return sides


@pytest.mark.parametrize(
    ("builds", "rounds", "by"),
    [
        ((3, 3), 5, (0.02, 0.02, 0, 0.01)),
        ((3, 3), 5, (0.02, 0, 0, 0.01)),  # a builder that varies against one that does not
        ((3, 3), 5, (0.02, 0, 0.01, 0.01)),
        ((5, 5), 5, (0.02, 0.02, 0.02, 0.001)),
        ((10, 10), 10, (0.02, 0.02, 0.02, 0.001)),
        ((2, 2), 5, (0.02, 0.02, 0, 0.01)),
        ((3, 3), 3, (0, 0, 0.02, 0.01)),
    ],
)
def test_the_interval_covers_the_truth_as_often_as_it_says(builds: tuple, rounds: int, by: tuple) -> None:
    chance, tries = numpy.random.RandomState(7), 1200
    covered = naive = 0
    for _ in range(tries):
        ours, theirs = simulated(chance, builds, rounds, by)
        found, one = ratio_of_builds(ours, theirs), ratio(ours[0], theirs[0])
        assert found is not None and found.low is not None and found.high is not None
        assert one is not None and one.low is not None and one.high is not None
        covered += found.low <= 1 <= found.high
        naive += one.low <= 1 <= one.high
    # 95 % less what 1,200 tries scatter (three deviations are 1.9 points); above it errs on the safe side.
    assert covered / tries >= 0.931
    if by[0] and by[2] <= 0.01:
        assert naive / tries < 0.75, "which is what rounds of a single build pretend to"


def test_a_rate_by_hand() -> None:
    """Logs of 100, 110, 121: mean log 110, s = log 1.1, t(0.975, 2) = 4.302653."""
    found = rate([121.0, 100.0, 110.0])
    reach = math.exp(4.302653 * math.log(1.1) / math.sqrt(3))
    assert (found.median, found.min, found.max) == (110.0, 100.0, 121.0)
    assert found.low == pytest.approx(110 / reach)
    assert found.high == pytest.approx(110 * reach)
    assert rate([1.0, 2.0])[3:] == (None, None)
