"""NVML as its binding behaves, by a stand-in with the binding's names: what is unsupported is absent, never 0.

Run against a real driver only where one is (`tests/gpu`); what stands here is how answers and errors are taken.
"""

import sys
import types
from typing import Any, List, NamedTuple

import pytest

from harness.sensors import nvml
from harness.sensors.channel import Absent
from tests.sensors.test_jetson import sensors


class Process(NamedTuple):
    pid: int


class Memory(NamedTuple):
    used: int


class NVMLError(Exception):
    pass


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Any:
    fake: Any = types.ModuleType("pynvml")
    fake.NVMLError = NVMLError
    fake.NVML_CLOCK_SM, fake.NVML_CLOCK_MEM, fake.NVML_TEMPERATURE_GPU = 1, 2, 0
    fake.asked = []
    fake.pids = []
    fake.nvmlInit = lambda: None
    fake.nvmlDeviceGetHandleByIndex = lambda index: fake.asked.append(index) or f"gpu{index}"
    fake.nvmlDeviceGetHandleByUUID = lambda uuid: fake.asked.append(uuid) or uuid
    fake.nvmlDeviceGetTotalEnergyConsumption = lambda device: 123456
    fake.nvmlDeviceGetPowerUsage = lambda device: 70123
    fake.nvmlDeviceGetClockInfo = lambda device, kind: {1: 1980, 2: 2619}[kind]
    fake.nvmlDeviceGetMaxClockInfo = lambda device, kind: 1980
    fake.nvmlDeviceGetTemperature = lambda device, kind: 34
    fake.nvmlDeviceGetCurrentClocksThrottleReasons = lambda device: 0
    fake.nvmlDeviceGetMemoryInfo = lambda device: Memory(3 << 30)
    fake.nvmlDeviceGetComputeRunningProcesses = lambda device: [Process(pid) for pid in fake.pids]
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return fake


def unsupported(*_: object) -> int:
    raise NVMLError("Not Supported")


def test_values_and_units(library: Any) -> None:
    found = sensors(nvml.offer(1))
    assert {name: one.read() for name, one in found.items()} == {
        "energy/gpu": 123456,
        "power/gpu": 70123,
        "clock/gpu": 1980e6,
        "clock/gpu-memory": 2619e6,
        "temperature/gpu": 34000,
        "reasons/gpu": 0,
        "memory/gpu": 3 << 30,
        "processes/gpu": 0,
    }
    assert {name: one.unit for name, one in found.items() if "power" in name or "energy" in name} == {
        "energy/gpu": "mJ",
        "power/gpu": "mW",
    }


def test_what_is_not_supported_is_absent_in_nvmls_words(library: Any) -> None:
    library.nvmlDeviceGetTotalEnergyConsumption = unsupported
    offers = nvml.offer(1)
    [absent] = [one for one in offers if isinstance(one, Absent)]
    assert (absent.name, absent.reason) == ("energy/gpu", "NVML: Not Supported")
    assert nvml.total(list(sensors(offers))).names == ["power/gpu"], "power where there is no counter"


def test_the_newer_name_of_the_reasons_is_preferred(library: Any) -> None:
    library.nvmlDeviceGetCurrentClocksEventReasons = lambda device: 4
    assert sensors(nvml.offer(1))["reasons/gpu"].read() == 4


def test_a_gpu_that_falls_off_the_bus_raises_what_a_sampler_takes(library: Any) -> None:
    found = sensors(nvml.offer(1))
    library.nvmlDeviceGetPowerUsage = unsupported
    with pytest.raises(ValueError, match="NVML: Not Supported"):
        found["power/gpu"].read()


@pytest.mark.parametrize(
    ("variable", "asked"), [("", 0), ("2,1", 2), ("GPU-5a", "GPU-5a"), ("MIG-7b", "MIG-7b"), ("nonsense", 0)]
)
def test_the_gpu_is_the_first_that_cuda_sees(
    variable: str, asked: object, library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    nvml.offer(1)
    assert library.asked == [asked]


def test_no_binding_and_no_driver_are_one_absent_channel(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    library.nvmlInit = unsupported
    [absent] = nvml.offer(1)
    assert isinstance(absent, Absent)
    assert absent.reason == "NVML does not answer: Not Supported"
    monkeypatch.setitem(sys.modules, "pynvml", None)
    [absent] = nvml.offer(1)
    assert isinstance(absent, Absent)
    assert absent.reason == "the package nvidia-ml-py is not installed"
    assert nvml.limits() == []


@pytest.mark.parametrize(
    ("seen", "others"),
    [
        ([[], [10]], [0, 0]),  # ours, under its own number
        ([[], [10, 33]], [0, 1]),
        ([[33], [33, 10]], [1, 1]),
        ([[], [901]], [0, 0]),  # ours, as the host of a container numbers it
        ([[33], [33, 901], [33, 901, 902]], [1, 1, 2]),
        ([[33], []], [1, 0]),
    ],
)
def test_other_processes_are_told_from_ours(seen: List[List[int]], others: List[float]) -> None:
    found = nvml.Others(10)
    assert [found.count(processes) for processes in seen] == others
