"""A run against earlier ones: known answers, and how often it errs on simulated runs of which the truth is known."""

import math
from typing import List

import numpy
import pytest
from scipy import stats

from harness.host.stats.earlier import Earlier, Rounds, change_since
from harness.host.stats.welch import change


def rounds(logs: "numpy.ndarray") -> Rounds:
    return Rounds(len(logs), float(logs.mean()), float(logs.var(ddof=1)) if len(logs) > 1 else None)


def earlier(runs: List["numpy.ndarray"]) -> Earlier:
    means = [float(one.mean()) for one in runs]
    return Earlier(
        len(runs), rounds(numpy.concatenate(runs)), float(numpy.var(means, ddof=1)) if len(runs) > 1 else None
    )


def test_one_earlier_run_is_what_compare_says() -> None:
    random = numpy.random.RandomState(5)
    new, old = random.lognormal(0.03, 0.02, 5), random.lognormal(0, 0.01, 8)
    assert change_since(rounds(numpy.log(new)), earlier([numpy.log(old)])) == pytest.approx(
        change(list(new), list(old))
    )


def test_runs_that_differ_more_than_their_rounds_widen_the_interval_to_one_more_of_them() -> None:
    """Rounds without spread: what is left is the prediction interval of one more normal observation."""
    means = [0.0, 0.02, -0.01, 0.03]
    found = change_since(rounds(numpy.full(5, 0.05)), earlier([numpy.full(5, one) for one in means]))
    half = stats.t.ppf(0.975, 3) * numpy.std(means, ddof=1) * math.sqrt(1 + 1 / 4)
    assert (found.low, found.high) == (pytest.approx(math.exp(0.04 - half)), pytest.approx(math.exp(0.04 + half)))
    assert not found.slower_than(0.02)


def test_fewer_than_three_rounds_judge_nothing() -> None:
    old = earlier([numpy.array([0.0, 0.01, 0.02])])
    assert change_since(rounds(numpy.array([1.0])), old).low is None
    assert change_since(rounds(numpy.array([1.0, 1.1])), old).low is None
    assert change_since(rounds(numpy.array([1.0, 1.1, 1.2])), earlier([numpy.array([0.0])])).low is None


def called_different(runs: int, between: float, tries: int = 2000) -> float:
    """Share of runs alike but for chance that are called slower or faster; rounds spread by 1 %, runs by `between`."""
    random = numpy.random.RandomState(runs)
    wrong = 0
    for _ in range(tries):
        logs = random.normal(0, between, (runs + 1, 1)) + random.normal(0, 0.01, (runs + 1, 5))
        found = change_since(rounds(logs[0]), earlier(list(logs[1:])))
        wrong += found.slower_than(0) or found.faster_than(0)
    return wrong / tries


@pytest.mark.parametrize("runs", [3, 5, 10])
@pytest.mark.parametrize("between", [0.0, 0.01, 0.03])
def test_from_three_earlier_runs_on_no_more_than_one_in_twenty_is_wrong(runs: int, between: float) -> None:
    """2,000 tries: a true 5 % shows more than 6.5 % once in a thousand times."""
    assert called_different(runs, between) <= 0.065


def test_before_that_runs_that_differ_mislead_as_the_page_says() -> None:
    assert called_different(1, 0.0) <= 0.065
    assert 0.2 < called_different(1, 0.01) < 0.5


def test_a_run_that_is_slower_by_five_percent_is_found() -> None:
    random = numpy.random.RandomState(2)
    found = 0
    for _ in range(500):
        logs = random.normal(0, 0.005, (11, 1)) + random.normal(0, 0.01, (11, 5))
        found += change_since(rounds(logs[0] + math.log(1.05)), earlier(list(logs[1:]))).slower_than(0.02)
    assert found / 500 > 0.9
