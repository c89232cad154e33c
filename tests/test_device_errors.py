"""A device that is too small, taken or lost while a cell is measured: exactly one Result, with CUDA's name for it."""

from pathlib import Path
from typing import Callable, Dict

import numpy
import pytest

from harness import upgrades
from harness.backends import onnxruntime
from harness.backends._contract import Feed, Runner
from harness.device import Device
from harness.device._words import device_error
from harness.host import runs
from harness.host.references import ReferenceStore
from harness.jobs import BenchJob, Failure
from harness.records import Engine, Result
from harness.worker import __main__ as worker
from harness.worker.bench import bench
from tests.plain_device import PlainBinding, plain_device
from tests.small_bench import results_of


class OnDevice(Runner):
    """Holds device memory, and computes nothing before it fails as it was told."""

    def __init__(self, device: Device, fail: Callable[[], None]) -> None:
        self.device, self.fail, self.held = device, fail, device.buffer("device", 1000)

    def set_inputs(self, feed: Feed, slot: int = 0) -> None:
        pass

    def enqueue(self, slot: int = 0) -> None:
        self.fail()

    def synchronize(self, slot: int = 0) -> None:
        raise AssertionError("the inference had failed")

    def get_outputs(self, slot: int = 0) -> Feed:
        return {"x": numpy.zeros(1)}

    def close(self) -> None:
        self.device.close()


@pytest.fixture(scope="module")
def job(made_before: Path) -> BenchJob:
    folder = made_before / "mine"
    result = results_of(folder)["onnxruntime", 1]
    run = upgrades.read(folder / "run.json", runs.Run)
    reference = next(iter(run.on[0].references.values()))
    engine = upgrades.read(made_before / "engines" / str(result.engine) / "engine.json", Engine)
    return BenchJob(
        experiment=result.experiment,
        round=1,
        engine_dir=str(made_before / "engines" / str(result.engine)),
        ingredients=engine.ingredients,
        arrays=str(ReferenceStore(made_before).arrays(reference)),
        reference=reference,
        tolerance=1.0,
    )


def loading(monkeypatch: pytest.MonkeyPatch, make: Callable[[], Runner]) -> None:
    monkeypatch.setattr(onnxruntime.Backend, "load", lambda *_: make())


def test_too_little_memory_at_load_is_failed_with_the_reason(job: BenchJob, monkeypatch: pytest.MonkeyPatch) -> None:
    device = plain_device(total_bytes=999)
    loading(monkeypatch, lambda: OnDevice(device, lambda: None))
    result = bench(job)
    assert isinstance(result, Result)
    assert result.status == "failed"
    assert "CUDA_ERROR_OUT_OF_MEMORY; too little device memory is free" in result.reason


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("CUDA_ERROR_DEVICE_UNAVAILABLE", "another process has it for itself"),
        ("CUDA_ERROR_ECC_UNCORRECTABLE", "the device failed under this process"),
        ("CUDA_ERROR_UNKNOWN", "its driver does not answer"),
    ],
)
def test_a_device_that_is_lost_or_taken_is_crashed_once_though_nothing_can_be_freed(
    job: BenchJob, monkeypatch: pytest.MonkeyPatch, name: str, advice: str
) -> None:
    class Lost(PlainBinding):
        def free(self, *_: object) -> None:
            raise device_error(name, "cuMemFree")

    def fail() -> None:
        raise device_error(name, "cuLaunchKernel")

    binding = Lost()
    loading(monkeypatch, lambda: OnDevice(Device(binding), fail))
    result = bench(job)
    assert (result.status, result.samples) == ("crashed", None)
    assert name in result.reason
    assert advice in result.reason
    assert binding.closed


@pytest.mark.parametrize(
    ("name", "status"), [("CUDA_ERROR_OUT_OF_MEMORY", "failed"), ("CUDA_ERROR_UNKNOWN", "crashed")]
)
def test_other_verbs_answer_with_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, job: BenchJob, name: str, status: str
) -> None:
    def probe(_: object) -> Dict[str, str]:
        raise device_error(name, "cuMemAlloc")

    monkeypatch.setattr("harness.worker.bench.bench", probe)
    upgrades.write(tmp_path / "job.json", job)
    worker.main("bench", tmp_path)
    answer = upgrades.read(tmp_path / "out.json", Failure)
    assert (answer.status, name in answer.reason) == (status, True)
