"""Small files that builds are fed with, good and bad."""

from pathlib import Path

import numpy
import onnx
from onnx import TensorProto, helper


def dynamic(folder: Path) -> Path:
    """x [n, 4] -> Relu -> y [n, 4]."""
    return _save(folder / "dynamic.onnx", [helper.make_node("Relu", ["x"], ["y"])], ["n", 4], 12)


def unsupported(folder: Path, opset: int) -> Path:
    """Its second node's operator is in no version."""
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("NoSuchOp", ["a"], ["y"], name="the_odd_one")]
    return _save(folder / "unsupported.onnx", nodes, [1, 4], opset)


def calibration(folder: Path) -> Path:
    """Three images for the tiny model."""
    path = folder / "set.npz"
    numpy.savez(str(path), images=numpy.random.RandomState(1).rand(3, 3, 8, 8).astype(numpy.float32))
    return path


def _save(path: Path, nodes: list, shape: list, opset: int) -> Path:
    given, answer = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y"))
    graph = helper.make_graph(nodes, path.stem, [given], [answer])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7), str(path))
    return path
