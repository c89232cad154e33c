"""What many tests stand on: a tiny ONNX model, models and results of their own, and a bench that was made before."""

import shutil
from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness import backends
from tests.small_bench import ROOT, measured, request


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """images [1,3,8,8] -> Conv, Relu -> `features` [1,4,8,8] and its mean `score` [1,4,1,1]."""
    weights = numpy.arange(4 * 3 * 3 * 3, dtype=numpy.float32).reshape(4, 3, 3, 3) / 100 - 0.5
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["images", "weights"], ["conv"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["conv"], ["features"]),
            helper.make_node("GlobalAveragePool", ["features"], ["score"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 8, 8])],
        [
            helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, 4, 8, 8]),
            helper.make_tensor_value_info("score", TensorProto.FLOAT, [1, 4, 1, 1]),
        ],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7)
    path = tmp_path_factory.mktemp("tiny") / "tiny.onnx"
    onnx.save(model, str(path))
    return path


@pytest.fixture(scope="session")
def tvm() -> Any:
    """TVM, where there is one that the harness knows."""
    try:
        backends.get("tvm").version()
    except Exception as error:
        pytest.skip(str(error))
    import tvm

    return tvm


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifests, and what tests made of them: not to be changed, since all tests share it."""
    folder = tmp_path_factory.mktemp("models")
    for path in (ROOT / "models").glob("*.toml"):
        shutil.copy(str(path), str(folder))
    return folder


@pytest.fixture(scope="session")
def made_before(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder after one `small_bench`, for `finished` and `ready` to copy."""
    results = tmp_path_factory.mktemp("made-before") / "results"
    outcome = measured(request(models_dir, results, run="mine"))
    assert outcome.counts == {"ok": 4}
    return results


@pytest.fixture
def finished(made_before: Path, tmp_path: Path) -> Path:
    """A results folder of the test's own in which the run `mine` of `small_bench` has ended."""
    shutil.copytree(str(made_before), str(tmp_path / "results"))
    return tmp_path / "results"


@pytest.fixture
def ready(finished: Path) -> Path:
    """A results folder of the test's own without a run, in which engines and references of `small_bench` lie."""
    shutil.rmtree(str(finished / "mine"))
    return finished
