"""Flags: what they find, that they seldom cry wolf, and that neighbouring samples that are alike do not fool them."""

import math
from typing import Tuple

import numpy
import pytest
from scipy import signal, stats

from harness.host.stats import memory
from harness.host.stats.change_points import best_split, change_points
from harness.host.stats.drift import blocks, drift, trend
from harness.host.stats.outliers import modified_z, outliers
from harness.host.stats.steadiness import of_cell, of_rounds


def remembering(phi: float, shape: Tuple[int, ...], seed: int = 1, deviation: float = 1.0) -> numpy.ndarray:
    """Normal series of which each value is phi times the one before plus something new; along the last axis."""
    new = numpy.random.RandomState(seed).normal(0, deviation * math.sqrt(1 - phi**2), (*shape[:-1], shape[-1] + 300))
    return signal.lfilter([1], [1, -phi], new, axis=-1)[..., 300:]


def times(noise: numpy.ndarray) -> numpy.ndarray:
    """Nanoseconds around 5 ms, 3 % of noise."""
    return 5e6 * numpy.exp(0.03 * noise)


def test_modified_z_by_hand() -> None:
    """Median 3, deviations 2 1 0 1 97: MAD 1."""
    assert modified_z(numpy.array([1.0, 2, 3, 4, 100])) == pytest.approx([-1.349, -0.6745, 0, 0.6745, 65.4265])
    assert outliers(numpy.array([1.0, 2, 3, 4, 100])).tolist() == [False] * 4 + [True]


def test_modified_z_where_most_values_are_equal() -> None:
    assert modified_z(numpy.array([5.0] * 9 + [6.0]))[-1] == pytest.approx(1 / (1.253314 * 0.1))
    assert modified_z(numpy.full(7, 5.0)).tolist() == [0.0] * 7


def test_autocorrelation_by_hand_and_by_definition() -> None:
    assert memory.autocorrelation(numpy.array([1.0, 2, 3])) == pytest.approx([1, 0, -0.5])
    values = numpy.random.RandomState(0).normal(0, 1, 57)
    away = values - values.mean()
    whole = [float((away[: 57 - lag] * away[lag:]).sum() / (away**2).sum()) for lag in range(57)]
    assert memory.autocorrelation(values) == pytest.approx(whole)


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_effective_size_of_series_whose_memory_is_known(phi: float) -> None:
    found = [memory.effective_size(one) for one in remembering(phi, (20, 5000))]
    assert numpy.mean(found) == pytest.approx(5000 * (1 - phi) / (1 + phi), rel=0.12)


def test_samples_that_alternate_are_worth_no_more_than_they_are() -> None:
    assert memory.effective_size(numpy.array([1.0, -1.0] * 50)) == 100
    assert memory.effective_size(numpy.full(100, 3.0)) == 100


def test_a_slope_is_theil_and_sens() -> None:
    """Noise that alternates has no memory to correct for: scipy's interval then, and slopes of all pairs."""
    values = (
        100 + 0.02 * numpy.arange(60) + numpy.tile([0.3, -0.3], 30) + numpy.random.RandomState(5).normal(0, 0.05, 60)
    )
    found, (slope, _, low, high) = drift(values), stats.theilslopes(values, alpha=0.99)
    whole = 59 / numpy.median(values)
    assert (found.slope, found.low, found.high) == pytest.approx((slope * whole, low * whole, high * whole))
    assert found.seen
    assert found.thirds == pytest.approx(numpy.median(values[-20:]) / numpy.median(values[:20]) - 1)


def test_long_series_become_medians_of_blocks() -> None:
    assert blocks(numpy.arange(10.0), 5).tolist() == [0.5, 2.5, 4.5, 6.5, 8.5]
    assert len(blocks(numpy.arange(1001.0), 200)) <= 200
    grown = drift(numpy.linspace(1e6, 1.1e6, 100_000))
    assert (grown.slope, grown.seen) == (pytest.approx(0.1 / 1.05, rel=0.02), True)


@pytest.mark.parametrize(("phi", "at_most"), [(0.0, 0.03), (0.5, 0.04), (0.8, 0.09)])
def test_samples_that_remember_are_seldom_called_drifting_or_changed(phi: float, at_most: float) -> None:
    """Nominally 1 %; with 100 samples their memory is known too roughly to reach that for the most sluggish ones."""
    cells = [of_cell(one) for one in times(remembering(phi, (300, 100)))]  # type: ignore[arg-type]
    assert sum(one.drifts for one in cells) <= 300 * at_most
    assert sum(bool(one.changes) for one in cells) <= 300 * at_most


def test_uncorrected_most_of_them_would_be() -> None:
    """What the correction is for: Sen's interval alone, on series without any drift."""
    wrong = 0
    for one in remembering(0.9, (200, 100)):
        _, _, low, high = stats.theilslopes(one, alpha=0.99)
        wrong += low > 0 or high < 0
    assert wrong > 60


def test_drift_of_five_percent_is_found_and_told_from_a_step() -> None:
    drifting = times(remembering(0.0, (100, 100))) * numpy.linspace(1, 1.05, 100)
    assert sum(of_cell(one).drifts for one in drifting) >= 85  # type: ignore[arg-type]
    assert numpy.median([drift(one).slope for one in drifting]) == pytest.approx(0.05, abs=0.005)


def test_a_change_of_level_is_found_where_it_is() -> None:
    """From iteration 60 on 10 % slower."""
    changed = times(remembering(0.3, (100, 100)))
    changed[:, 60:] *= 1.1
    found = [change_points(one) for one in changed]
    assert sum(len(one) >= 1 for one in found) >= 97
    first = [one[0] for one in found if one]
    assert numpy.median([one.at for one in first]) == 60
    assert numpy.median([one.step for one in first]) == pytest.approx(0.1, abs=0.01)


def test_two_changes_are_two_and_one_slow_iteration_is_none() -> None:
    noise = times(remembering(0.0, (150,)))
    both = noise.copy()
    both[50:100] *= 1.2
    found = change_points(both)
    assert [abs(one.at - place) <= 2 for one, place in zip(found, (50, 100))] == [True, True]
    assert len(found) == 2
    assert (found[0].step > 0.1, found[1].step < -0.1) == (True, True)
    spiked = noise.copy()
    spiked[70] *= 30
    assert change_points(spiked) == []
    assert of_cell(spiked).outliers == of_cell(noise).outliers + 1  # type: ignore[arg-type]


def test_pettitts_statistic_by_hand() -> None:
    """All of the first ten below all of the last: their ranks are 1..10, so U = 2 * 55 - 10 * 21 = -100."""
    values = numpy.concatenate([numpy.tile([1.0, 2], 5), numpy.tile([21.0, 22], 5)])
    at, p = best_split(values)
    assert (at, p) == (10, pytest.approx(2 * math.exp(-6 * 100**2 / (20**3 + 20**2))))
    assert change_points(values[:19]) == [], "too short to have two sides"


def test_the_trend_of_rounds_is_the_regressions() -> None:
    values = numpy.random.RandomState(9).normal(0, 1, (40, 7))
    for one, p in zip(values, trend(values)):
        assert p == pytest.approx(stats.linregress(numpy.arange(7), one).pvalue)
    assert trend(numpy.full(5, 2.0)) == 1.0
    assert trend(numpy.arange(5.0)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("rounds", [4, 5, 8, 20, 40])
def test_rounds_that_are_as_the_interval_takes_them_are_seldom_flagged(rounds: int) -> None:
    found = of_rounds(numpy.random.RandomState(rounds).normal(0, 0.02, (20_000, rounds)))
    assert found.apart.mean() == pytest.approx(0.01, abs=0.003)
    assert found.trend.mean() == pytest.approx(0.01, abs=0.003)
    assert found.remembers.mean() <= 0.032
    assert (found.remembers.mean() > 0) == (rounds >= 8)


def test_rounds_that_are_not_are_flagged_for_what_they_are() -> None:
    calm = numpy.random.RandomState(1).normal(0, 0.01, (500, 12))
    throttled = calm.copy()
    throttled[:, 4] += 0.4
    assert of_rounds(throttled).apart.mean() > 0.99
    apart = calm + numpy.linspace(0, 0.1, 12)
    assert of_rounds(apart).trend.mean() > 0.99
    assert of_rounds(remembering(0.9, (500, 40))).remembers.mean() > 0.95


def test_grubbs_as_published() -> None:
    """Critical value for n = 8, 1 % two-sided: 2.274 (Grubbs and Beck, Technometrics 14 (1972))."""
    values = numpy.array([1.0, -1, 1, -1, 0, 0, 0, 0])
    for place in numpy.linspace(1, 40, 400):
        values[7] = place
        away = (place - values.mean()) / values.std(ddof=1)
        assert bool(of_rounds(values).apart) == (away > 2.2735), place


def test_few_rounds_and_few_iterations_are_not_judged() -> None:
    assert not of_rounds(numpy.array([0.0, 0.0, 9.0])).any
    short = of_cell([5, 6, 7])
    assert (short.drift, short.changes, short.drifts) == (None, [], False)
