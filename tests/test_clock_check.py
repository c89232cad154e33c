"""The check of a cell's clocks: a device that says more than the host, clocks that stand, step back or are coarse."""

from pathlib import Path
from typing import Callable, List

import msgspec
import pytest

from harness.records import LatencySamples, ThroughputSamples
from harness.worker import clock_check
from harness.worker.clock_check import Steps, steps, wrong
from tests.sensors.scene import samples, steady
from tests.test_cell_verdicts import measured, stand

__all__ = ["stand"]  # the fixture


def ticking(step_ns: int = 40, every: int = 1) -> Callable[[], int]:
    """A clock that moves by `step_ns` at each `every`th reading."""
    readings = [0]

    def clock() -> int:
        readings[0] += 1
        return readings[0] // every * step_ns

    return clock


def timed(device_ns: List[int]) -> LatencySamples:
    return msgspec.structs.replace(samples(steady(len(device_ns))), device_ns=device_ns)


def test_a_good_clock_has_nothing_against_it() -> None:
    assert steps(ticking()) == Steps(40, 0)
    assert wrong(samples(steady(20)), ticking(), computes=True) == ""


def test_a_clock_that_steps_back_between_two_readings_is_named_with_the_worst_step() -> None:
    moments = iter([*range(0, 40_000, 40), *range(20_000, 400_000, 40)])
    assert wrong(samples(steady(20)), lambda: next(moments), computes=True) == (
        "read back to back, the clock stepped back by 19960 ns"
    )


def test_a_clock_that_is_too_coarse_for_an_inference_and_the_floor_that_shows_it() -> None:
    each_ms = samples(steady(20))
    coarse = ticking(4_000_000, every=5_000)
    assert steps(coarse).smallest_ns == 4_000_000, "read until it has moved"
    assert wrong(each_ms, ticking(4_000_000, 5_000), computes=True) == (
        "the clock moves by 4000000 ns at a time, 40% of an inference"
    )
    assert wrong(each_ms, ticking(4_000_000, 5_000), computes=False) == ""
    overlapping = ThroughputSamples(slots=2, start_ns=[0, 1_000], end_ns=[5_000, 6_000])
    assert "80%" not in wrong(overlapping, ticking(40), computes=True)
    assert wrong(overlapping, ticking(2_400), computes=True).endswith("at a time, 80% of an inference")


def test_a_clock_that_stands_still_is_given_up_on() -> None:
    assert wrong(samples(steady(20)), lambda: 5, computes=True) == "the clock did not move in 500000 readings"


@pytest.mark.parametrize(
    ("factor", "says"),
    [(0.97, ""), (1.0, ""), (1.01, "1.0 % more in all iterations together than the host that waited for it"), (0, "0")],
)
def test_a_device_cannot_say_more_altogether_than_the_host_that_waited(factor: float, says: str) -> None:
    """A hundredth in every iteration: too little for any single one to be told from a clock's resolution."""
    host = samples(steady(100))
    found = wrong(timed([round(one * factor) for one in host.compute_ns]), ticking(), computes=True)
    assert (found != "") == (says != "")
    assert says in found


def test_a_cell_whose_clock_fails_its_check_is_invalid_and_kept(
    stand: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The real worker, whose check is given a clock of 4 ms."""
    real = clock_check.wrong
    monkeypatch.setattr(
        clock_check, "wrong", lambda taken, clock, computes: real(taken, ticking(4_000_000, 5_000), computes)
    )
    from harness.worker.measure import measure

    found = measured(stand, measure, monkeypatch)  # type: ignore[arg-type]
    assert (found.status, found.samples is not None) == ("ok", True)
    assert found.integrity is not None and found.integrity.verdict == "INVALID"
    [cause] = found.integrity.causes
    assert (cause.code, cause.reason[:32]) == ("timer", "the clock moves by 4000000 ns at")
