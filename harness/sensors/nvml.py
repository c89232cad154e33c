"""What NVIDIA's management library tells of a discrete GPU; on a Jetson it tells nothing that holds (see jetson.py)."""

import os
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from harness.records import ClockLimits
from harness.sensors.channel import Absent, Offer, Sensor, Total

MHZ = 1_000_000
QUANTITIES = {
    "energy/gpu": ("energy of the GPU's board", "mJ", "nvmlDeviceGetTotalEnergyConsumption"),
    "power/gpu": ("power of the GPU's board", "mW", "nvmlDeviceGetPowerUsage"),
    "clock/gpu": ("clock of the GPU", "Hz", "nvmlDeviceGetClockInfo"),
    "clock/gpu-memory": ("clock of the GPU's memory", "Hz", "nvmlDeviceGetClockInfo"),
    "temperature/gpu": ("temperature of the GPU", "mC", "nvmlDeviceGetTemperature"),
    "reasons/gpu": ("bits of why the GPU's clock is held back", "bits", "nvmlDeviceGetCurrentClocksThrottleReasons"),
    "memory/gpu": ("memory of the GPU in use, by anybody", "bytes", "nvmlDeviceGetMemoryInfo"),
    "processes/gpu": (
        "processes that compute on the GPU beside ours",
        "processes",
        "nvmlDeviceGetComputeRunningProcesses",
    ),
}


def offer(worker: int) -> Offer:
    """Each quantity is asked for once: one that this GPU does not support is absent, in NVML's own words."""
    try:
        library, device = _device()
    except Exception as error:  # ImportError, or an NVMLError of whatever kind the driver's absence brings
        reason = f"NVML does not answer: {error or type(error).__name__}"
        if isinstance(error, ImportError):
            reason = "the package nvidia-ml-py is not installed"
        return [Absent("power/gpu", "power, clock, temperature and more of a discrete GPU", "mW", "NVML", reason)]
    found: Offer = []
    for name, read in _reads(library, device, worker).items():
        what, unit, call = QUANTITIES[name]
        try:
            _checked(library, read)()
        except (OSError, ValueError) as error:
            found.append(Absent(name, what, unit, call, str(error)))
        else:
            found.append(Sensor(name, what, unit, call, _checked(library, read)))
    return found


def total(names: List[str]) -> Total:
    """The counter where there is one: what NVML calls power is, on many GPUs, an average over a second."""
    for name in ("energy/gpu", "power/gpu"):
        if name in names:
            return Total([name], "the GPU's board by NVML, without the machine around it")
    return Total([], "")


def limits() -> List[ClockLimits]:
    """NVML tells how fast a clock could run, not whether it is held: `max_hz` stays unknown."""
    try:
        library, device = _device()
        highest = library.nvmlDeviceGetMaxClockInfo(device, library.NVML_CLOCK_SM) * MHZ
    except Exception:  # as above; the channels have said why
        return []
    return [ClockLimits(name="gpu", highest_hz=highest)]


def _device() -> Tuple[Any, Any]:
    """NVML and the GPU that CUDA calls its first, as far as the environment says which that is."""
    import pynvml

    pynvml.nvmlInit()
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip()
    if first.startswith(("GPU-", "MIG-")):
        return pynvml, pynvml.nvmlDeviceGetHandleByUUID(first)
    return pynvml, pynvml.nvmlDeviceGetHandleByIndex(int(first) if first.isdigit() else 0)


def _reads(library: Any, device: Any, worker: int) -> "Dict[str, Callable[[], float]]":
    # Drivers of 535 and later say event reasons; the older name still works where the package has it alone.
    reasons = getattr(library, "nvmlDeviceGetCurrentClocksEventReasons", None)
    reasons = reasons or library.nvmlDeviceGetCurrentClocksThrottleReasons
    others = Others(worker)
    return {
        "energy/gpu": lambda: library.nvmlDeviceGetTotalEnergyConsumption(device),
        "power/gpu": lambda: library.nvmlDeviceGetPowerUsage(device),
        "clock/gpu": lambda: library.nvmlDeviceGetClockInfo(device, library.NVML_CLOCK_SM) * MHZ,
        "clock/gpu-memory": lambda: library.nvmlDeviceGetClockInfo(device, library.NVML_CLOCK_MEM) * MHZ,
        "temperature/gpu": lambda: library.nvmlDeviceGetTemperature(device, library.NVML_TEMPERATURE_GPU) * 1000,
        "reasons/gpu": lambda: reasons(device),
        "memory/gpu": lambda: library.nvmlDeviceGetMemoryInfo(device).used,
        "processes/gpu": lambda: others.count(
            [one.pid for one in library.nvmlDeviceGetComputeRunningProcesses(device)]
        ),
    }


def _checked(library: Any, read: Callable[[], float]) -> Callable[[], float]:
    """NVML's errors as the sampler knows errors."""

    def checked() -> float:
        try:
            return float(read())
        except library.NVMLError as error:
            raise ValueError(f"NVML: {error}") from None

    return checked


class Others:
    """Tells other processes from the measured one, also where NVML counts processes by numbers that are not ours.

    In a container a process has another number outside. Whoever was there at the first look, which is before the engine
    is loaded, is another; of those that come later, one is taken for ours where our number is not among them.
    """

    def __init__(self, worker: int) -> None:
        self._worker = worker
        self._there_first: Optional[Set[int]] = None

    def count(self, processes: List[int]) -> float:
        found = set(processes)
        if self._there_first is None:
            self._there_first = found - {self._worker}
        if self._worker in found:
            return float(len(found) - 1)
        newcomers = found - self._there_first
        return float(len(found) - (1 if newcomers else 0))
