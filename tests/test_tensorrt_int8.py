"""INT8 of TensorRT: a calibrator where builders have one, a graph with scales where they have none."""

from pathlib import Path
from typing import Any, Dict

import numpy
import onnx
import pytest
from onnx import TensorProto

from harness.backends import _tensorrt_graph
from harness.errors import BuildError, DeviceError, Unsupported
from harness.records import BuildOptions
from tests.stand_in_tensorrt import models
from tests.stand_in_tensorrt.given import Given


@pytest.fixture
def calibration(tmp_path: Path) -> Path:
    return models.calibration(tmp_path)


@pytest.mark.parametrize(("precision", "wanted"), [("fp32", "fp32"), ("fp16", "fp16"), ("int8", "int8")])
def test_the_graph_for_typed_networks_has_the_precision_and_fp32_at_its_ends(
    precision: str, wanted: str, tiny_model: Path, calibration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Given(monkeypatch, "11")
    options = BuildOptions(model="m", backend="tensorrt", precision=precision)
    materials = _tensorrt_graph.Materials(tiny_model, calibration)
    graph = _tensorrt_graph.prepare(given.module, materials, options, "minmax")
    assert graph.typed == {wanted: 1}
    parsed = onnx.load_model_from_string(graph.data)
    ends = [*parsed.graph.input, *parsed.graph.output]
    assert {value.type.tensor_type.elem_type for value in ends} == {TensorProto.FLOAT}
    if precision == "int8":
        scales = {one.name: onnx.numpy_helper.to_array(one) for one in parsed.graph.initializer}
        points = [scales[node.input[2]] for node in parsed.graph.node if node.op_type == "DequantizeLinear"]
        assert points and all(not point.any() for point in points), "builders take no zero point but 0"
        assert all(point.dtype == numpy.int8 for point in points), "nor int32 biases behind DequantizeLinear"


@pytest.mark.parametrize(
    ("calibrator", "kind"), [("minmax", "IInt8MinMaxCalibrator"), ("entropy", "IInt8EntropyCalibrator2")]
)
def test_the_calibrator_shows_every_batch_in_order_in_device_memory_and_its_cache_is_kept(
    calibrator: str, kind: str, tiny_model: Path, calibration: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Given(monkeypatch, "8.5")
    asked: Dict[str, Any] = {"precision": "int8", "calibration": calibration, "options": {"calibrator": calibrator}}
    built = given.build(tiny_model, tmp_path / "engine", **asked)
    images = numpy.load(str(calibration))["images"]
    assert [batch["images"] for batch in given.module._calibrated] == [
        images[one : one + 1].tobytes() for one in range(3)
    ]
    assert built.settings["calibration"] == f"{calibrator}, 3 batches"
    cache = tmp_path / "engine" / "calibration.cache"
    assert cache.read_bytes().startswith(f"TRT-{kind}".encode())
    assert not given.work.binding.live, "the calibrator's memory is freed"

    again = Given(monkeypatch, "8.5")
    built = again.build(tiny_model, tmp_path / "again", calibration_cache=cache, **asked)
    assert again.module._calibrated == [{"cache": cache.read_bytes()}], "scales that are known are not computed again"
    assert built.settings["calibration"] == f"{calibrator}, scales of an earlier build"


def test_what_a_calibrator_raises_ends_the_build_and_is_not_taken_for_the_end_of_the_images(
    tiny_model: Path, calibration: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Given(monkeypatch, "10.3")
    given.work.binding.total_bytes = 100
    with pytest.raises(DeviceError, match="CUDA_ERROR_OUT_OF_MEMORY"):
        given.build(tiny_model, tmp_path / "engine", precision="int8", calibration=calibration)


def test_int8_without_images_is_skipped_and_a_graph_that_brings_scales_needs_none(
    tiny_model: Path, calibration: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("8.6", "11"):
        given = Given(monkeypatch, version)
        with pytest.raises(Unsupported, match=r"^int8 needs calibration images: CALIBRATION=folder$"):
            given.build(tiny_model, tmp_path / version, precision="int8")
    options = BuildOptions(model="m", backend="tensorrt", precision="int8")
    materials = _tensorrt_graph.Materials(tiny_model, calibration)
    quantized = tmp_path / "quantized.onnx"
    quantized.write_bytes(_tensorrt_graph.prepare(given.module, materials, options, "minmax").data)
    given = Given(monkeypatch, "8.6")
    assert given.build(quantized, tmp_path / "engine", precision="int8").precision_source == "builder flags"
    assert not given.module._calibrated


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"other": numpy.zeros((2, 3, 8, 8))}, "has no samples of input images"),
        (
            {"images": numpy.zeros((2, 3, 9, 9))},
            r"samples of images have the shape \(3, 9, 9\), the model takes \(3, 8, 8\)",
        ),
        ({"images": numpy.full((2, 3, 8, 8), numpy.nan)}, "hold NaN or Inf"),
        ({"images": numpy.zeros((0, 3, 8, 8))}, "0 calibration samples, one batch alone needs 1"),
    ],
)
@pytest.mark.parametrize("version", ["8.6", "11"])
def test_a_calibration_set_that_does_not_fit_is_a_build_error_in_words(
    version: str,
    arrays: Dict[str, numpy.ndarray],
    sentence: str,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    numpy.savez(str(tmp_path / "set.npz"), **arrays)  # type: ignore[arg-type]
    with pytest.raises(BuildError, match=sentence):
        Given(monkeypatch, version).build(
            tiny_model, tmp_path / "engine", precision="int8", calibration=tmp_path / "set.npz"
        )


def test_a_calibration_set_that_is_no_npz_is_a_build_error_in_words(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "set.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(BuildError, match=r"set\.npz: the calibration set cannot be read"):
        Given(monkeypatch, "8.6").build(
            tiny_model, tmp_path / "engine", precision="int8", calibration=tmp_path / "set.npz"
        )
