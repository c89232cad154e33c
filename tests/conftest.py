"""What many tests stand on: a tiny ONNX model, and folders that are not the checkout's."""

from pathlib import Path

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper


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
