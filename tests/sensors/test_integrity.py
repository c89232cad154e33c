"""The integrity verdict: what makes times something else than they claim to be, and what does not."""

from typing import List

import msgspec
import pytest

from harness.records import InferenceOptions, LatencySamples, Telemetry, ThroughputSamples
from harness.records.samples import BackwardsClock
from harness.sensors.integrity import integrity
from harness.sensors.series import Series
from tests.sensors.scene import samples, scene, steady

NOTHING = Series([], {})


def of(taken: object, telemetry: object = None, series: Series = NOTHING, **more: object) -> List[str]:
    """The verdict, then the codes of its causes."""
    count = taken.count  # type: ignore[attr-defined]
    options = {"threads": 1, "iterations": count}
    options.update({name: more.pop(name) for name in list(more) if name in InferenceOptions.__struct_fields__})
    found = integrity(taken, InferenceOptions(**options), telemetry, series, **more)  # type: ignore[arg-type]
    assert all(cause.reason and cause.advice for cause in found.causes)
    return [found.verdict, *(cause.code for cause in found.causes)]


def test_times_as_they_are_measured_are_valid() -> None:
    seen = scene()
    assert of(seen.samples, seen.telemetry, seen.series) == ["VALID"]
    assert of(samples(steady(10))) == ["VALID"], "without sensors too"
    assert of(ThroughputSamples(slots=2, start_ns=[0, 1, 5] * 1 + [9] * 7, end_ns=[5, 9] + [20] * 8)) == ["VALID"]


def test_samples_that_are_missing_without_a_budget_are_not() -> None:
    taken = samples(steady(60))
    assert of(taken, iterations=100) == ["INVALID", "missing samples"]
    assert of(taken, iterations=100, shortened=True) == ["VALID"], "a budget says why"
    assert of(samples(steady(9)), iterations=100, shortened=True) == ["INVALID", "missing samples"]
    assert of(taken, min_seconds=2.0) == ["INVALID", "missing samples"]
    assert of(taken, min_seconds=0.5) == ["VALID"]


def test_a_clock_that_stepped_back_between_iterations() -> None:
    taken = samples(steady(20))
    starts = [*taken.start_ns[:10], *(start - 15_000_000 for start in taken.start_ns[10:])]
    stepped = msgspec.structs.replace(taken, start_ns=starts)
    assert of(stepped) == ["INVALID", "clock"]
    found = integrity(stepped, InferenceOptions(threads=1, iterations=20), None, NOTHING)
    assert found.causes[0].reason == "the clock stepped backwards 1 times, by 15.000 ms at the worst"
    assert of(taken, series=Series([0, 100, 50], {})) == ["INVALID", "clock"], "or between two sweeps"


def test_a_clock_that_stepped_back_within_an_iteration_yields_no_samples_at_all() -> None:
    with pytest.raises(BackwardsClock, match="clock ran backwards"):
        LatencySamples(start_ns=[0], h2d_ns=[1], enqueue_ns=[1], compute_ns=[-5], d2h_ns=[1])
    with pytest.raises(BackwardsClock, match="clock ran backwards"):
        ThroughputSamples(slots=2, start_ns=[0, 9], end_ns=[5, 8])


def test_a_device_that_says_more_than_the_host_which_waited_for_it() -> None:
    host = samples(steady(200))
    right = [round(one * 0.97) for one in host.compute_ns]
    assert of(msgspec.structs.replace(host, device_ns=right)) == ["VALID"]
    resolution = [one + 5_000 for one in host.compute_ns]
    assert of(msgspec.structs.replace(host, device_ns=resolution)) == ["VALID"], "clocks of two resolutions"
    wrong = [round(one * 1.1) for one in host.compute_ns]
    assert of(msgspec.structs.replace(host, device_ns=wrong)) == ["INVALID", "timer"]
    once = [*right[:-1], wrong[-1]]
    assert of(msgspec.structs.replace(host, device_ns=once)) == ["VALID"]


def test_what_a_check_of_the_timer_or_of_outputs_found() -> None:
    assert of(samples(steady(10)), timer="the spin kernel took 4 % longer") == ["INVALID", "timer"]
    assert of(samples(steady(10)), outputs="output0 differs by 0.3") == ["INVALID", "outputs"]


@pytest.mark.parametrize(
    ("ratio", "verdict"), [(None, "VALID"), (1.0004, "VALID"), (0.9996, "VALID"), (1.002, "INVALID")]
)
def test_a_clock_that_runs_fast_or_slow(ratio: float, verdict: str) -> None:
    seen = scene(clock_ratio=ratio)
    assert of(seen.samples, seen.telemetry, seen.series)[0] == verdict


@pytest.mark.parametrize(
    ("gap", "interval", "verdict"),
    [(0.1, 0.1, "VALID"), (1.4, 0.1, "VALID"), (1.6, 0.1, "INVALID"), (9.0, 1.0, "VALID"), (11.0, 1.0, "INVALID")],
)
def test_a_gap_of_all_sensors_by_the_interval_that_was_asked_for(gap: float, interval: float, verdict: str) -> None:
    seen = scene(largest_gap_s=gap, interval_s=interval)
    assert of(seen.samples, seen.telemetry, seen.series)[0] == verdict


def test_a_sampler_that_never_answered_is_a_gap_as_long_as_the_cell() -> None:
    died = Telemetry(interval_s=0.1, sweeps=0, largest_gap_s=None, channels=[], reason="it ended with status 1")
    assert of(samples(steady(500)), died) == ["INVALID", "sensor gap"]
    assert of(samples(steady(50)), died) == ["VALID"], "in half a second nobody missed it"
    found = integrity(samples(steady(500)), InferenceOptions(threads=1, iterations=500), died, NOTHING)
    assert found.causes[0].reason == "no sensor was read for 5.0 s: it ended with status 1"
