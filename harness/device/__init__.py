"""Who owns device memory, streams and events (CUDA). Callers import from here; bindings are chosen here.

with open_device() as device:
    stream, tensor = device.stream(), Tensor(device, "pinned", (1, 3, 640, 640), "float32")
"""

from typing import List

from harness.device._binding import Binding
from harness.device._contract import KINDS, Buffer, Device, Event, Graph, Span, Stream
from harness.device._driver import Presence, present
from harness.device._words import device_error_in
from harness.device.tensors import IO_MEMORY, Tensor
from harness.device.timer import Timer
from harness.errors import Unsupported

__all__ = [
    "IO_MEMORY",
    "KINDS",
    "Buffer",
    "Device",
    "Event",
    "Graph",
    "Presence",
    "Span",
    "Stream",
    "Tensor",
    "Timer",
    "device_error_in",
    "open_device",
    "present",
]

BINDINGS = ("pycuda", "cuda-python")
"""In the order they are tried: pycuda is what JetPack users have."""


def open_device(index: int = 0, binding: str = "") -> Device:
    """The device `index`, its primary context current in this thread; `binding` names one of BINDINGS.

    Raises Unsupported where there is none to be had here: no driver, no device, no binding installed. DeviceError where
    there is one and it refuses (in use by another process, lost).
    """
    present(index)
    missing: List[str] = []
    for name in [binding] if binding else BINDINGS:
        try:
            return Device(_binding(name, index), index)
        except ImportError as error:
            missing.append(f"{name}: {error}")
    raise Unsupported(
        f"no Python binding of CUDA can be imported ({'; '.join(missing)}); "
        "install pycuda, or cuda-python, which needs no compiler"
    )


def _binding(name: str, index: int) -> Binding:
    if name == "pycuda":
        from harness.device._pycuda import PyCuda

        return PyCuda(index)
    from harness.device._cuda_python import CudaPython

    return CudaPython(index)
