"""TensorRT's run path on a real device: no TensorRT runs here, so the stand-in's engines copy real device memory."""

from pathlib import Path
from typing import Any, Dict

import pytest

from harness.records import InferenceOptions
from harness.worker.measure import measure
from tests.stand_in_tensorrt import CudaWork, Module
from tests.stand_in_tensorrt.given import Given, give
from tests.test_tensorrt_run import feed, turns


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, machine: str) -> Given:
    made = Given(monkeypatch, "10.3")
    work: Any = CudaWork()
    made.work, made.module = work, Module("10.3", work)
    give(monkeypatch, made.module, work)
    return made


@pytest.mark.parametrize("issue_mode", ["latency", "throughput"])
@pytest.mark.parametrize("io_memory", ["pinned", "mapped", "managed"])
@pytest.mark.parametrize("cuda_graph", [False, True], ids=["plain", "graph"])
def test_inputs_reach_the_device_and_outputs_come_back(
    io_memory: str, issue_mode: str, cuda_graph: bool, given: Given, tiny_model: Path, tmp_path: Path
) -> None:
    given.build(tiny_model, tmp_path / "engine")
    graph: Dict[str, Any] = {"cuda_graph": True} if cuda_graph else {}
    with given.load(tmp_path / "engine", io_memory=io_memory, issue_mode=issue_mode, **graph) as runner:
        turns(runner, runner.slots)
        measured = measure(runner, feed(), InferenceOptions(threads=1, iterations=200, issue_mode=issue_mode))
        assert measured.samples.count == 200
        if issue_mode == "latency":
            assert all(value > 0 for value in measured.samples.device_ns)  # type: ignore[union-attr]
