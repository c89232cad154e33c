"""Who owns device memory, streams and events (CUDA). Callers import from here; bindings are chosen here.

with open_device() as device:
    stream, tensor = device.stream(), Tensor(device, "pinned", (1, 3, 640, 640), "float32")
"""

from harness.device._contract import KINDS, Buffer, Device, Event, Graph, Stream
from harness.device.tensors import IO_MEMORY, Tensor
from harness.device.timer import Timer
from harness.errors import Unsupported

__all__ = ["IO_MEMORY", "KINDS", "Buffer", "Device", "Event", "Graph", "Stream", "Tensor", "Timer", "open_device"]


def open_device(index: int = 0) -> Device:
    """The device `index`, its primary context current in this thread.

    Raises Unsupported where there is none to be had here: no driver, no device, no binding installed. DeviceError where
    there is one and it refuses (in use by another process, lost).
    """
    raise Unsupported("the bindings follow in the next commit")
