"""Outputs against the reference: the figures by hand, and every way of being wrong."""

import math
from pathlib import Path

import numpy
import pytest

from harness.errors import AccuracyError
from harness.host.block import PRECISIONS
from harness.host.models.manifest import TOLERANCES
from harness.worker import accuracy, arrays
from harness.worker.reference import make_inputs

RIGHT = {"a": numpy.array([3.0, 4.0], numpy.float32), "b": numpy.zeros((2, 2), numpy.float32)}


def test_figures_by_hand() -> None:
    ours = {"a": numpy.array([3.0, 5.0], numpy.float32), "b": RIGHT["b"]}
    first, second = accuracy.compare(ours, RIGHT)
    assert (first.output, first.max_abs) == ("a", 1.0)
    assert first.relative_rms == pytest.approx(1 / 5)
    assert first.cosine == pytest.approx((9 + 20) / (5 * math.sqrt(34)))
    assert (second.relative_rms, second.cosine) == (0.0, 1.0)


def test_the_worst_output_decides() -> None:
    rows = accuracy.compare({"a": RIGHT["a"] * 1.001, "b": RIGHT["b"]}, RIGHT)
    accuracy.check(rows, 2e-3)
    with pytest.raises(AccuracyError, match=r"output a .* 0\.001, allowed is 0\.0005"):
        accuracy.check(rows, 5e-4)


def test_a_zero_reference_allows_no_difference() -> None:
    rows = accuracy.compare({"a": RIGHT["a"], "b": RIGHT["b"] + 1e-9}, RIGHT)
    with pytest.raises(AccuracyError, match="output b"):
        accuracy.check(rows, 1.0)


def test_int8_may_be_coarse_but_not_broken() -> None:
    right = {"a": numpy.random.RandomState(1).normal(10.0, 20.0, 1000)}
    step = numpy.abs(right["a"]).max() / 127
    coarse = {"a": numpy.round(right["a"] / step / 8) * step * 8}
    accuracy.check(accuracy.compare(coarse, right), TOLERANCES["int8"])
    for broken in (right["a"] * 0, right["a"] * 2, -right["a"], numpy.roll(right["a"], 1)):
        with pytest.raises(AccuracyError, match=r"allowed is 0\.5"):
            accuracy.check(accuracy.compare({"a": broken}, right), TOLERANCES["int8"])
    assert set(TOLERANCES) == set(PRECISIONS), "no precision takes another's"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": None}, "output a is missing"),
        ({"a": numpy.zeros(3, numpy.float32)}, r"shape \(3,\)"),
        ({"a": numpy.array([numpy.nan, 1.0])}, "NaN or Inf in 1 of 2"),
        ({"b": numpy.full((2, 2), numpy.inf)}, "NaN or Inf in 4 of 4"),
    ],
)
def test_outputs_that_are_no_answer(change: dict, message: str) -> None:
    ours = {name: array for name, array in {**RIGHT, **change}.items() if array is not None}
    with pytest.raises(AccuracyError, match=message):
        accuracy.compare(ours, RIGHT)


def test_arrays_come_back_and_tampering_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "arrays.npz"
    sha256 = arrays.save(path, {"x": RIGHT["a"]}, RIGHT)
    inputs, outputs = arrays.load(path, sha256)
    assert list(inputs) == ["x"]
    numpy.testing.assert_array_equal(outputs["b"], RIGHT["b"])
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(AccuracyError, match="made anew"):
        arrays.load(path, sha256)


class Value:
    def __init__(self, name: str, kind: str, shape: list) -> None:
        self.name, self.type, self.shape = name, f"tensor({kind})", shape


def test_inputs_follow_seed_and_range_and_type() -> None:
    values = [Value("image", "float", [2, 3]), Value("ids", "int64", [100])]
    ranges = {"image": [-1.0, 1.0], "ids": [5.0, 8.0]}
    first, again, other = (make_inputs(values, seed, ranges) for seed in (1, 1, 2))
    numpy.testing.assert_array_equal(first["image"], again["image"])
    assert (first["image"] != other["image"]).any()
    assert first["image"].dtype == numpy.float32
    assert (abs(first["image"]) <= 1).all()
    assert set(first["ids"]) == {5, 6, 7}
    assert first["ids"].dtype == numpy.int64
