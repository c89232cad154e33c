"""The contract, over every backend that can run here: `pytest tests/test_backends.py -k NAME` is for a new one."""

import os
from pathlib import Path

import numpy
import onnx
import pytest

from harness import backends
from harness.backends import _layers
from harness.backends import onnxruntime as runtime
from harness.backends._contract import Materials
from harness.device import present
from harness.errors import BuildError, Unsupported
from harness.jobs import ReferenceJob
from harness.records import BuildOptions, InferenceOptions
from harness.worker import accuracy, arrays
from harness.worker.reference import reference


@pytest.fixture(params=backends.names())
def backend(request: pytest.FixtureRequest):  # type: ignore[no-untyped-def]
    one = backends.get(request.param)
    try:
        one.version()
        if "host" not in one.io_memory():  # it builds without a device, and runs on one alone
            present()
    except Unsupported as error:
        pytest.skip(str(error))
    return request.param, one


@pytest.fixture(scope="module")
def feed(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    path = tmp_path_factory.mktemp("reference") / "arrays.npz"
    job = ReferenceJob(key="k", model=str(tiny_model), model_sha256="x", seed=3, ranges={}, arrays=str(path))
    return arrays.load(path, reference(job).arrays_sha256)


def test_the_directory_is_the_registry() -> None:
    assert backends.names() == ["null", "onnxruntime", "tensorrt", "tensorrt_rtx", "tvm"]
    with pytest.raises(KeyError, match="there are null, onnxruntime, tensorrt, tensorrt_rtx, tvm"):
        backends.get("tensorflow")


def test_builds_loads_and_agrees_with_the_reference(backend, tiny_model: Path, feed, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    name, one = backend
    inputs, expected = feed
    assert "fp32" in one.precisions
    assert one.version() and one.architecture()
    one.build(Materials(tiny_model), BuildOptions(model="tiny", backend=name), tmp_path)
    assert list(tmp_path.iterdir()), "an engine is files"
    with one.load(tmp_path, InferenceOptions(threads=1, io_memory=one.io_memory()[0])) as runner:
        buffers = None
        for turn in range(3):
            scaled = {key: array * (turn + 1) for key, array in inputs.items()}
            runner.set_inputs(scaled)
            runner.enqueue()
            runner.synchronize()
            outputs = runner.get_outputs()
            if one.computes and turn == 0:
                accuracy.check(accuracy.compare(outputs, expected), 1e-5)
            if one.computes:  # the tiny net is linear and then Relu: outputs follow the inputs' scale
                numpy.testing.assert_allclose(outputs["features"], expected["features"] * (turn + 1), rtol=1e-4)
            held = [id(array) for array in outputs.values()]
            assert buffers in (None, held), "outputs must land in buffers made at load"
            buffers = held
        timer = runner.device_timer()
        assert timer is None or hasattr(timer, "elapsed_ns")


def test_fp16_stays_near_and_says_what_it_computes_in(backend, tiny_model: Path, feed, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    name, one = backend
    if not one.computes:
        pytest.skip("this backend computes nothing")
    inputs, expected = feed
    assert "fp16" in one.precisions
    built = one.build(Materials(tiny_model), BuildOptions(model="tiny", backend=name, precision="fp16"), tmp_path)
    assert sum(built.executed.values()) == 1, "the tiny net has one convolution"
    if set(built.executed) != {"fp16"}:
        assert "cast" in built.note
    with one.load(tmp_path, InferenceOptions(threads=1, io_memory=one.io_memory()[0])) as runner:
        runner.set_inputs(inputs)
        runner.enqueue()
        runner.synchronize()
        rows = accuracy.compare(runner.get_outputs(), expected)
    accuracy.check(rows, 1e-2)
    assert max(row.relative_rms for row in rows) > 1e-6, "that would be fp32"


def test_layers_are_counted_by_what_they_read(tiny_model: Path) -> None:
    model = onnx.load(str(tiny_model))
    assert _layers.precisions(model) == {"fp32": 1}
    weights = onnx.numpy_helper.to_array(model.graph.initializer[0]).astype(numpy.float16)
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weights, "weights"))
    assert _layers.precisions(model) == {"fp16": 1}
    model.graph.initializer[0].name = "half"
    model.graph.node.insert(0, onnx.helper.make_node("Cast", ["half"], ["weights"], to=1))
    assert _layers.precisions(model) == {"fp32": 1}, "fp16 weights behind a cast are computed in fp32"


def test_a_broken_model_is_a_build_error_that_names_it(backend, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    name, one = backend
    if not one.computes:
        pytest.skip("this backend reads no model")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"this is not a model")
    (tmp_path / "engine").mkdir()
    with pytest.raises(BuildError, match=r"broken\.onnx"):
        one.build(Materials(broken), BuildOptions(model="broken", backend=name), tmp_path / "engine")


def test_inputs_of_another_type_are_refused_not_converted(backend, tiny_model: Path, feed, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    name, one = backend
    if not one.computes:
        pytest.skip("this backend reads no inputs")
    one.build(Materials(tiny_model), BuildOptions(model="tiny", backend=name), tmp_path)
    with one.load(tmp_path, InferenceOptions(threads=1, io_memory=one.io_memory()[0])) as runner, pytest.raises(
        (TypeError, ValueError)
    ):
        runner.set_inputs({"images": feed[0]["images"].astype(numpy.float64)[:, :, :4]})


@pytest.mark.parametrize("cuda", [True, False])
def test_onnxruntime_on_cuda_computes_fp32_without_tf32_whatever_the_user_set(
    cuda: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = [runtime.CUDA, runtime.CPU] if cuda else [runtime.CPU]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: given)
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    assert runtime._providers() == given
    assert os.environ["NVIDIA_TF32_OVERRIDE"] == ("0" if cuda else "1")
