"""Statistics against known values: by hand, by scipy's own tests, by published tables, and by simulation."""

import math
from typing import Dict, Sequence

import numpy
import pytest
from scipy import stats

from harness.host.stats import percentiles
from harness.host.stats.components import components
from harness.host.stats.detectable import shift
from harness.host.stats.further import MOST_ROUNDS, Pilot, additions, factors, further
from harness.host.stats.pairs import every_pair, holm
from harness.host.stats.ratio import half_width, ratio, spread
from harness.host.stats.summary import summarize


def by_round(values: Sequence[float]) -> Dict[int, float]:
    return dict(enumerate(values, 1))


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


@pytest.mark.parametrize(("percentile", "count"), [(50, 11), (90, 64), (95, 130), (99, 662), (99.9, 6636)])
def test_queries_that_the_load_generator_asks_for(percentile: float, count: int) -> None:
    """One query over the bound, as published for MLPerf's single stream (90), server (99) and their tables."""
    assert percentiles.loadgen_queries(percentile) == count
    share = 1 - percentile / 100
    tail = [(1 - share) ** n + n * share * (1 - share) ** (n - 1) for n in (count - 1, count)]
    assert tail[1] <= 0.01 < tail[0], "by hand: none or one of n over the bound"


def test_the_load_generator_asks_for_more_where_more_are_over_the_bound() -> None:
    found = [percentiles.loadgen_queries(90, over) for over in range(4)]
    assert found == sorted(found)
    assert found[0] == percentiles.needed(90, 0.98), "none over it: the largest bounds the percentile at 99 % one-sided"


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


def test_a_pilot_that_decided_is_left_out_of_the_deviation() -> None:
    """By hand: 8 rounds decided, 3 more follow. Squares about the mean of all, less those of the 8 about theirs."""
    values = numpy.array([0.01, -0.01, 0.02, -0.02, 0.01, -0.01, 0.0, 0.0, 0.03, 0.05, 0.01])
    found = spread(values, pilot=8)
    squares = ((values - values.mean()) ** 2).sum() - (values[:8] ** 2).sum()
    assert (found.freedom, found.deviation) == (3, pytest.approx(math.sqrt(squares / 3)))
    assert found.half_width == pytest.approx(3.182446305284263 * math.sqrt(squares / 3 / 11))
    assert spread(values, pilot=11) == spread(values), "a pilot that nothing follows decided nothing"
    ours = by_round(numpy.exp(values))
    one = ratio(ours, by_round([1.0] * 11), pilot=8)
    assert one is not None
    assert (one.freedom, one.high) == (3, pytest.approx(math.exp(values.mean() + float(found.half_width))))
    ours.pop(2)
    crashed = ratio(ours, by_round([1.0] * 11), pilot=8)
    assert crashed is not None
    assert crashed.freedom == 3, "7 of the pilot's 8 rounds are left, and 3 that followed"


@pytest.mark.parametrize("deviation", [0.004, 0.012, 0.016, 0.025])
def test_an_interval_covers_what_it_says_although_a_pilot_decided_how_narrow_it_is(deviation: float) -> None:
    """10,000 virtual runs with UNTIL=1%: 95 % coverage, and the width asked for in at least 90 % of them."""
    random = numpy.random.RandomState(4)
    added = additions(random.normal(0, deviation, (10_000, 8)).std(axis=1, ddof=1), 8, 0.01)
    random.seed(4)
    pilots = random.normal(0, deviation, (10_000, 8))
    covered = narrow = 0
    for more in numpy.unique(added):
        first = pilots[added == more]
        rounds = numpy.hstack([first, random.normal(0, deviation, (len(first), more))])
        half = spread(rounds, pilot=8).half_width
        covered += int((abs(rounds.mean(axis=1)) <= half).sum())
        narrow += int((numpy.sinh(half) <= 0.01).sum())
    assert covered / 10_000 == pytest.approx(0.95, abs=0.007), "3 deviations of a share of 10,000"
    assert narrow / 10_000 >= 0.89


def test_rounds_that_a_pilot_asks_for_by_hand() -> None:
    """s = 1 %: after 13 more, sqrt(F(0.9; 13, 7)) * t(0.975, 13) / sqrt(21) of it."""
    f, t = float(stats.f.ppf(0.9, 13, 7)), float(stats.t.ppf(0.975, 13))
    assert factors(8)[13] == pytest.approx(math.sqrt(f) * t / math.sqrt(21))
    assert (numpy.diff(factors(8)[3:]) < 0).all()
    found = further([Pilot(0.01, 8)], 0.01, 500)
    assert found.needed == found.added
    assert factors(8)[found.added] * 0.01 <= math.asinh(0.01) < factors(8)[found.added - 1] * 0.01
    assert found.reach <= 0.01


def test_the_widest_of_several_ratios_decides_and_all_are_to_be_narrow_at_once() -> None:
    alone, both = further([Pilot(0.02, 8)], 0.01, 500), further([Pilot(0.02, 8), Pilot(0.001, 8)], 0.01, 500)
    assert both.needed is not None
    assert alone.needed is not None
    assert both.needed > alone.needed


def test_what_is_out_of_reach_is_said_with_what_is_within() -> None:
    limited = further([Pilot(0.05, 8)], 0.01, 40)
    assert limited.needed is not None
    assert (limited.added, limited.needed > 200) == (40, True)
    assert limited.reach == pytest.approx(math.sinh(0.05 * factors(8)[40]))
    hopeless = further([Pilot(0.5, 8)], 0.01, 10_000)
    assert (hopeless.needed, hopeless.added) == (None, MOST_ROUNDS)
    assert further([Pilot(0.05, 8)], 0.01, 2) == (limited.needed, 0, math.inf), "2 more give no interval"
    assert further([Pilot(0.0, 8)], 0.01, 500).added == 3, "rounds that are all alike: still an interval of its own"


@pytest.mark.parametrize(("effect", "rounds"), [(0.5, 44), (0.8, 19), (1.0, 13)])
def test_what_could_have_been_shown_agrees_with_tables_of_power(effect: float, rounds: int) -> None:
    """Rounds that a paired t test takes for a standardized effect, 90 % power, two-sided 5 % (as G*Power tabulates)."""
    assert shift(rounds - 1) / math.sqrt(rounds) <= effect < shift(rounds - 2) / math.sqrt(rounds - 1)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 19, 200])
def test_power_is_that_of_the_noncentral_t(freedom: int) -> None:
    """Scipy's distribution, where it has a value there."""
    critical, found = stats.t.ppf(0.975, freedom), shift(freedom)
    assert stats.nct.sf(critical, freedom, found) == pytest.approx(0.9, abs=1e-4)


def test_what_could_have_been_shown_is_shown_nine_times_in_ten() -> None:
    random = numpy.random.RandomState(8)
    rounds = random.normal(0, 0.02, (20_000, 7)) + shift(6) * 0.02 / math.sqrt(7)
    shown = rounds.mean(axis=1) - spread(rounds).half_width > 0
    assert shown.mean() == pytest.approx(0.9, abs=0.01)
    one = ratio(by_round(numpy.exp(rounds[0])), by_round([1.0] * 7))
    assert one is not None
    assert one.detectable == pytest.approx(math.exp(shift(6) * rounds[0].std(ddof=1) / math.sqrt(7)))


def test_p_is_the_t_tests_and_agrees_with_the_interval() -> None:
    differences = numpy.random.RandomState(3).normal(0.01, 0.02, (50, 6))
    for one in differences:
        found = ratio(by_round(numpy.exp(one)), by_round([1.0] * 6))
        assert found is not None
        assert found.p == pytest.approx(stats.ttest_1samp(one, 0).pvalue)
        assert found.p is not None
        assert (found.p < 0.05) == (found.verdict != "not distinguishable")
    assert (ratio({1: 2.0}, {1: 1.0}) or pytest.fail()).p is None
    same = ratio(by_round([2.0] * 3), by_round([1.0] * 3))
    assert same is not None
    assert (same.p, same.half_width) == (0.0, 0.0)


def test_holm_as_published() -> None:
    """The example of R's p.adjust and of many text books."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.4, 0.9]) == pytest.approx([0.8, 0.9])
    assert holm([]) == []


def test_every_pair_is_compared_and_corrected_and_a_crashed_cell_drops_its_round() -> None:
    steady = [1.0, 1.002, 0.998, 1.001, 0.999]
    rows = [by_round(steady), by_round([2 * one for one in reversed(steady)]), {}, by_round([1.0, 1.01, 0.99, 1.0])]
    found = every_pair([[one] for one in rows])
    assert [(one.baseline, one.ours) for one in found] == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    verdicts = [one.verdict for one in found]
    assert verdicts == ["more time", "no verdict", "not distinguishable", "no verdict", "less time", "no verdict"]
    assert found[1].ratio is None
    third = found[2].ratio
    assert third is not None
    assert (third.rounds, third.dropped) == (4, 1)


def test_many_pairs_of_the_same_are_called_different_in_no_more_than_five_of_a_hundred_runs() -> None:
    """Ten rows that are all alike, 45 pairs: uncorrected, most runs would name one."""
    random = numpy.random.RandomState(2)
    wrong = uncorrected = 0
    for _ in range(80):
        found = every_pair([[by_round(one)] for one in numpy.exp(random.normal(0, 0.02, (10, 5)))])
        wrong += any(one.verdict != "not distinguishable" for one in found)
        uncorrected += any(one.ratio is not None and one.ratio.verdict != "not distinguishable" for one in found)
    assert wrong <= stats.binom.ppf(0.999, 80, 0.05)
    assert uncorrected > 40


def test_components_by_hand() -> None:
    """Two builds, two rounds: effects of build +-0.1, of round +-0.05, and +-0.01 that neither explains."""
    logs = numpy.array([[0.16, 0.04], [-0.06, -0.14]])
    found = components([by_round(numpy.exp(one)) for one in logs])
    assert found is not None
    assert found.cell == pytest.approx(math.sqrt(4 * 0.01**2))
    assert found.build == pytest.approx(math.sqrt((2 * 2 * 0.1**2 - 4 * 0.01**2) / 2))
    assert found.round == pytest.approx(math.sqrt((2 * 2 * 0.05**2 - 4 * 0.01**2) / 2))
    whole = found.build**2 / 2 + found.round**2 / 2 + found.cell**2 / 4
    assert found.mean_deviation(2, 2) == pytest.approx(math.sqrt(whole))


def test_components_find_what_was_planted_and_builds_that_are_alike() -> None:
    random = numpy.random.RandomState(6)

    def runs(build: float, count: int = 300) -> list:
        made = []
        for _ in range(count):
            logs = random.normal(0, build, (5, 1)) + random.normal(0, 0.05, (1, 6)) + random.normal(0, 0.01, (5, 6))
            one = components([by_round(numpy.exp(each)) for each in logs])
            assert one is not None
            made.append(one)
        return made

    planted = runs(0.02)
    for name, truth in (("build", 0.02), ("round", 0.05), ("cell", 0.01)):
        assert numpy.mean([getattr(one, name) ** 2 for one in planted]) == pytest.approx(truth**2, rel=0.15), name
    share = 0.02**2 / (0.02**2 + 0.01**2)
    inside = [one.build_share_low <= share <= one.build_share_high for one in planted]
    assert numpy.mean(inside) == pytest.approx(0.95, abs=0.04)
    assert numpy.mean([one.p < 0.05 for one in runs(0.0)]) == pytest.approx(0.05, abs=0.04)


def test_components_leave_out_rounds_that_a_build_lacks_and_need_two_of_each() -> None:
    whole = by_round([1.0, 1.1, 1.2])
    found = components([whole, {1: 1.2, 3: 1.3}])
    assert found is not None
    assert (found.builds, found.rounds, found.dropped) == (2, 2, 1)
    assert components([whole]) is None
    assert components([whole, {1: 1.0}]) is None
