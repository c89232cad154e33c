"""Selfbench: what its verdict on two clocks says of pairs whose answer is known."""

import numpy
import pytest

from harness.host.selfbench import clocks, sensing
from harness.jobs import Beside, Pairs


def pairs(factor: float) -> Pairs:
    """600 pairs around 5 ms that drift by a factor of two together, ours `factor` times as long, 1 % of noise each."""
    random = numpy.random.RandomState(7)
    drift = numpy.linspace(5e6, 10e6, 600)
    bare, ours = (drift * random.normal(1, 0.01, 600) for _ in range(2))
    return Pairs(ours_ns=[round(one * factor) for one in ours], bare_ns=[round(one) for one in bare])


@pytest.mark.parametrize(("factor", "inside"), [(1.0, True), (1.02, False), (0.98, False)])
def test_two_clocks_agree_only_inside_one_percent_whatever_drifts(factor: float, inside: bool) -> None:
    found = clocks.judge(pairs(factor))
    assert found["low"] < found["median"] < found["high"]
    assert found["median"] == pytest.approx(factor, abs=0.003)
    assert (found["low"] >= clocks.LOW and found["high"] <= clocks.HIGH) is inside


def test_too_few_pairs_bound_nothing() -> None:
    found = clocks.judge(Pairs(ours_ns=[1, 1, 1], bare_ns=[1, 1, 1]))
    assert (found["low"], found["high"]) == (0.0, float("inf"))


def beside(factor: float, noise: float = 0.02) -> Beside:
    """60 rounds of blocks around 5 ms, those beside the sampler `factor` times as long."""
    random = numpy.random.RandomState(3)
    alone, watched = (5e6 * random.lognormal(0, noise, 60) for _ in range(2))
    watched = watched * factor
    return Beside(
        mean_with_ns=watched.tolist(),
        mean_without_ns=alone.tolist(),
        median_with_ns=watched.tolist(),
        median_without_ns=alone.tolist(),
        cpu_share=0.006,
        channels=6,
    )


@pytest.mark.parametrize(
    ("factor", "noise", "inside"), [(1.0, 0.02, True), (1.03, 0.02, False), (0.97, 0.02, False), (1.0, 0.2, False)]
)
def test_a_sampler_costs_nothing_only_where_that_is_shown(factor: float, noise: float, inside: bool) -> None:
    found = sensing.judge(beside(factor, noise))
    assert found["low"] < found["ratio"] < found["high"]
    assert sensing._inside(found) is inside, "an interval that is wide shows nothing"
