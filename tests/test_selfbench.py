"""Selfbench: what its verdict on two clocks says of pairs whose answer is known."""

import numpy
import pytest

from harness.host.selfbench import clocks
from harness.jobs import Pairs


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
