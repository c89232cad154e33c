"""Engines of real models by TensorRT-RTX in each precision, and what it says of models it cannot take."""

import json
from pathlib import Path
from typing import Any, Dict

import numpy
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness.backends import _tensorrt_graph
from harness.backends._contract import Built, Materials
from harness.errors import BuildError, Unsupported
from harness.host.models.prepare import PreparedModel
from harness.records import BuildOptions, InferenceOptions
from harness.worker import accuracy
from tests.rtx.conftest import calibration
from tests.stand_in_tensorrt import models

ENGINE = "model.engine"


def build(backend: Any, model: Path, folder: Path, **asked: Any) -> Built:
    folder.mkdir(exist_ok=True)
    materials = {name: asked.pop(name) for name in Materials._fields if name in asked}
    return backend.build(
        Materials(model, **materials), BuildOptions(model="m", backend="tensorrt_rtx", **asked), folder
    )


@pytest.mark.parametrize(("name", "layers"), [("yolov5s", 60), ("trained", 33)])
def test_a_real_model_is_built_in_each_precision(
    name: str, layers: int, backend: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    model: PreparedModel = request.getfixturevalue(name)
    images = calibration(model.path, tmp_path / "set.npz")
    sizes: Dict[str, int] = {}
    for precision in ("fp32", "tf32", "fp16", "int8"):
        folder = tmp_path / precision
        built = build(backend, model.path, folder, precision=precision, calibration=images)
        assert built.precision_source == "model"
        typed = "fp32" if precision == "tf32" else precision
        assert built.note.endswith(f"layers by the graph's own types: {layers} {typed}")
        assert built.executed == {}, "nobody has seen what runs"
        sizes[precision] = (folder / ENGINE).stat().st_size
        with pytest.raises(Unsupported, match=r"^no device here can run this engine"):
            backend.load(folder, InferenceOptions(threads=1, io_memory="pinned"))
    weights = model.path.stat().st_size
    assert weights < sizes["fp32"] < 1.5 * weights
    assert sizes["fp16"] < 0.7 * sizes["fp32"], "half the weights"


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_the_graph_it_is_given_still_computes_the_model(
    precision: str, module: Any, trained: PreparedModel, tmp_path: Path
) -> None:
    """No device here runs the engine; the graph that it was built from runs in ONNX Runtime."""
    images = numpy.random.RandomState(1).uniform(-2, 2, (16, 3, 224, 224)).astype(numpy.float32)
    numpy.savez(str(tmp_path / "set.npz"), x=images)
    options = BuildOptions(model="m", backend="tensorrt_rtx", precision=precision)
    materials = Materials(trained.path, tmp_path / "set.npz")
    graph = _tensorrt_graph.prepare(module, materials, options, "minmax")
    outputs = []
    for model in (trained.path.read_bytes(), graph.data):
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        outputs.append(
            {one.name: value for one, value in zip(session.get_outputs(), session.run(None, {"x": images[:1]}))}
        )
    (row,) = accuracy.compare(outputs[1], outputs[0])
    assert 1e-7 < row.relative_rms < {"fp16": 0.01, "int8": 0.2}[precision], "another precision, and still the model"


def test_an_unknown_operator_is_named_with_its_node(backend: Any, tmp_path: Path) -> None:
    with pytest.raises(BuildError) as caught:
        build(backend, models.unsupported(tmp_path, 12), tmp_path / "engine")
    text = str(caught.value)
    assert text.startswith("TensorRT-RTX 1.") and "there is no operator NoSuchOp, node 1 (the_odd_one)" in text
    assert not (tmp_path / "engine" / ENGINE).exists()


@pytest.mark.parametrize("data", [b"", b"this is not a model", bytes(1000)])
def test_a_file_that_is_no_model_is_a_build_error(data: bytes, backend: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(data)
    with pytest.raises(BuildError, match=r"broken\.onnx: not an ONNX model"):
        build(backend, tmp_path / "broken.onnx", tmp_path / "engine")


def test_a_model_that_is_cut_short_is_a_build_error(backend: Any, trained: PreparedModel, tmp_path: Path) -> None:
    data = trained.path.read_bytes()
    (tmp_path / "short.onnx").write_bytes(data[: len(data) // 2])
    with pytest.raises(BuildError, match=r"short\.onnx"):
        build(backend, tmp_path / "short.onnx", tmp_path / "engine")


def test_a_dynamic_batch_is_refused_without_a_shape_and_built_with_one(backend: Any, tmp_path: Path) -> None:
    model = models.dynamic(tmp_path)
    with pytest.raises(BuildError, match=r"x \(-1, 4\) has a dynamic dimension"):
        build(backend, model, tmp_path / "without")
    build(backend, model, tmp_path / "with", options={"profile": "x=1x4:2x4:8x4"})
    assert (tmp_path / "with" / ENGINE).stat().st_size > 1000


def test_a_graph_with_int32_biases_behind_dequantization_is_refused_in_its_own_words(
    backend: Any, tmp_path: Path
) -> None:
    """Why our quantization leaves biases alone: what most converters write by default does not parse."""
    bias = numpy_helper.from_array(numpy.ones(4, numpy.int32), "bias")
    scale = numpy_helper.from_array(numpy.float32(0.1), "scale")
    nodes = [helper.make_node("DequantizeLinear", ["bias", "scale"], ["b"]), helper.make_node("Add", ["x", "b"], ["y"])]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "bias", ends[:1], ends[1:], [bias, scale])
    path = tmp_path / "bias.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7), str(path))
    with pytest.raises(BuildError, match=r"TensorRT-RTX .* cannot parse bias\.onnx: .*DequantizeLinear.*Int32"):
        build(backend, path, tmp_path / "engine")


def test_messages_of_a_later_build_are_not_lost(backend: Any, tiny_model: Path, tmp_path: Path) -> None:
    """It keeps the first logger of a process and ignores the others."""
    for turn in range(2):
        build(backend, tiny_model, tmp_path / f"good-{turn}")
        with pytest.raises(BuildError, match="NoSuchOp"):
            build(backend, models.unsupported(tmp_path, 12), tmp_path / f"bad-{turn}")


def test_options_are_taken_and_the_timing_cache_is_none_of_its(backend: Any, tiny_model: Path, tmp_path: Path) -> None:
    options = {"workspace_mb": 64, "optimization_level": 1}
    built = build(backend, tiny_model, tmp_path / "engine", options=options)
    assert built.settings == {"workspace_mb": "64", "flags": "no TF32", "optimization_level": "1"}
    assert json.loads((tmp_path / "engine" / "runtime.json").read_text()) == {"dla_core": None}
    with pytest.raises(Unsupported, match="DLA core 0 was asked for, this device and TensorRT have 0"):
        build(backend, tiny_model, tmp_path / "dla", precision="fp16", options={"dla_core": 0})
