"""Statistics against known values: by hand, by scipy's own tests, by published tables, and by simulation."""

import math

import numpy
import pytest
from scipy import stats

from harness.host.stats import percentiles
from harness.host.stats.ratio import half_width, ratio
from harness.host.stats.summary import summarize


def test_a_summary_by_hand() -> None:
    found = summarize([2_000_000, 4_000_000, 4_000_000, 4_000_000, 5_000_000, 5_000_000, 7_000_000, 9_000_000])
    assert (found.n, found.mean_ns, found.min_ns, found.max_ns, found.median_ns) == (8, 5e6, 2e6, 9e6, 4.5e6)
    assert found.std_ns == pytest.approx(math.sqrt(32 / 7) * 1e6), "of the sample: n - 1"
    assert found.fps(batch=4) == pytest.approx(800)
    assert summarize([5]).std_ns == 0.0


def test_percentiles_are_type_7() -> None:
    found = summarize(list(range(1, 101)))
    assert (found.p95_ns, found.p99_ns) == (pytest.approx(95.05), pytest.approx(99.01))
    values = numpy.random.RandomState(0).lognormal(15, 0.3, 137).astype(int).tolist()
    assert summarize(values).p95_ns == numpy.percentile(values, 95)


@pytest.mark.parametrize(("percentile", "ranks"), [(50, (40, 61)), (90, (84, 96)), (95, (90, 100)), (99, (97, None))])
def test_order_statistics_of_a_hundred(percentile: float, ranks: tuple) -> None:
    assert percentiles.bounds(100, percentile) == ranks


@pytest.mark.parametrize(("percentile", "count"), [(50, 6), (90, 36), (95, 72), (99, 368), (99.9, 3688)])
def test_how_many_samples_bound_a_percentile(percentile: float, count: int) -> None:
    assert percentiles.needed(percentile) == count
    assert percentiles.bounds(count, percentile).upper == count
    assert percentiles.bounds(count - 1, percentile).upper is None


def test_bounds_are_values_and_missing_ones_stay_missing() -> None:
    assert percentiles.bound(list(range(1, 101)), 95) == (90.0, 100.0)
    assert percentiles.bound(list(range(1, 101)), 99) == (97.0, None)
    assert percentiles.bound([1, 2], 50) == (None, None)


def test_order_statistic_bounds_cover_what_they_say() -> None:
    random = numpy.random.RandomState(5)
    truth = stats.lognorm.ppf(0.95, 0.5)
    ranks = percentiles.bounds(200, 95)
    assert ranks.lower is not None and ranks.upper is not None
    ordered = numpy.sort(random.lognormal(0, 0.5, (10_000, 200)), axis=1)
    covered = (ordered[:, ranks.lower - 1] <= truth) & (truth <= ordered[:, ranks.upper - 1])
    assert 0.95 <= covered.mean() <= 0.98, "conservative, since ranks are whole numbers"


def test_a_ratio_by_hand() -> None:
    """Differences of logs 0.1, 0.2, 0.3: mean 0.2, s = 0.1, t(0.975, 2) = 4.302653."""
    baseline = {1: 1e6, 2: 2e6, 3: 3e6}
    ours = {number: value * math.exp(number / 10) for number, value in baseline.items()}
    found = ratio(ours, baseline)
    assert found is not None
    half = 4.302652729911275 * 0.1 / math.sqrt(3)
    assert found.value == pytest.approx(math.exp(0.2))
    assert (found.low, found.high) == (pytest.approx(math.exp(0.2 - half)), pytest.approx(math.exp(0.2 + half)))
    assert found.verdict == "not distinguishable"
    assert found.per_round == [pytest.approx(math.exp(number / 10)) for number in (1, 2, 3)]


def test_the_interval_is_the_t_tests() -> None:
    differences = numpy.random.RandomState(1).normal(0.02, 0.01, 7)
    half = half_width(differences)
    assert half is not None
    mean, low = differences.mean(), differences.mean() - half
    assert stats.ttest_1samp(differences, low).pvalue == pytest.approx(0.05)
    assert stats.ttest_1samp(differences, mean + half).pvalue == pytest.approx(0.05)


@pytest.mark.parametrize(("shift", "verdict"), [(1.5, "more time"), (0.5, "less time"), (1.0, "not distinguishable")])
def test_verdicts(shift: float, verdict: str) -> None:
    baseline = {number: 1e6 * (1 + number / 1000) for number in range(5)}
    ours = {number: shift * value * (1.001 if number % 2 else 0.999) for number, value in baseline.items()}
    found = ratio(ours, baseline)
    assert found is not None
    assert found.verdict == verdict


def test_fewer_than_three_rounds_give_no_interval_and_no_verdict() -> None:
    found = ratio({1: 2e6, 2: 2e6}, {1: 1e6, 2: 1e6})
    assert found is not None
    assert (found.value, found.low, found.high, found.verdict) == (pytest.approx(2), None, None, "no verdict")


def test_a_round_with_one_cell_is_dropped_and_counted() -> None:
    found = ratio({1: 2e6, 2: 2e6, 3: 2e6, 5: 9e6}, {1: 1e6, 2: 1e6, 3: 1e6, 4: 9e6})
    assert found is not None
    assert (found.rounds, found.dropped, found.value) == (3, 2, pytest.approx(2))
    assert ratio({1: 1e6}, {2: 1e6}) is None


def test_five_rounds_cover_what_they_say_also_when_the_machine_drifts() -> None:
    """10,000 virtual runs: each round has its own speed (30 % spread), each cell a noise of 2 %; true ratio 1.04."""
    random = numpy.random.RandomState(7)
    rounds = random.normal(0, 0.3, (10_000, 5))
    baseline = rounds + random.normal(0, 0.02, rounds.shape)
    ours = rounds + math.log(1.04) + random.normal(0, 0.02, rounds.shape)
    differences = ours - baseline
    half = float(stats.t.ppf(0.975, 4)) * differences.std(axis=1, ddof=1) / math.sqrt(5)
    one = half_width(differences[0])
    assert one == pytest.approx(half[0]), "the formula simulated is the one that is used"
    covered = abs(differences.mean(axis=1) - math.log(1.04)) <= half
    assert 0.935 <= covered.mean() <= 0.965
