"""CUDA through pycuda, the binding that JetPack users have (2020.1 and newer)."""

import contextlib
from typing import Any, Iterator

import numpy
import pycuda.driver as cuda

from harness.device._binding import Allocation
from harness.device._captures import Captures
from harness.device._driver import name_of
from harness.device._words import device_error
from harness.errors import DeviceError

NON_BLOCKING = 1
"""CU_STREAM_NON_BLOCKING; pycuda gives it no name."""


class PyCuda(Captures):
    def __init__(self, index: int) -> None:
        with _in_our_words():
            cuda.init()
            device = cuda.Device(index)
            self.name = device.name()
            self.compute_capability = device.compute_capability()
            self.integrated = bool(device.get_attribute(cuda.device_attribute.INTEGRATED))
            self.total_bytes = device.total_memory()
            self._context = device.retain_primary_context()
            self._context.push()

    def free_bytes(self) -> int:
        with _in_our_words():
            return int(cuda.mem_get_info()[0])

    def allocate(self, kind: str, nbytes: int) -> Allocation:
        with _in_our_words():
            if kind == "device":
                owner = cuda.mem_alloc(nbytes)
                return Allocation(int(owner), nbytes, None, owner)
            if kind == "managed":
                array = cuda.managed_empty((nbytes,), numpy.uint8, mem_flags=cuda.mem_attach_flags.GLOBAL)
            else:
                flags = cuda.host_alloc_flags.DEVICEMAP if kind == "mapped" else 0
                array = cuda.pagelocked_empty((nbytes,), numpy.uint8, mem_flags=flags)
            return Allocation(int(array.base.get_device_pointer()), nbytes, array, array.base)

    def free(self, kind: str, allocation: Allocation) -> None:
        with _in_our_words():
            allocation.owner.free()

    def attach(self, allocation: Allocation, stream: Any) -> None:
        with _in_our_words():
            allocation.owner.attach(cuda.mem_attach_flags.SINGLE, stream)

    def copy_to_device(self, address: int, source: Allocation, stream: Any) -> None:
        try:
            cuda.memcpy_htod_async(address, source.host, stream)
        except cuda.Error as error:
            raise _ours(error) from error

    def copy_to_host(self, target: Allocation, address: int, stream: Any) -> None:
        try:
            cuda.memcpy_dtoh_async(target.host, address, stream)
        except cuda.Error as error:
            raise _ours(error) from error

    def make_stream(self) -> Any:
        with _in_our_words():
            return cuda.Stream(NON_BLOCKING)

    def stream_handle(self, stream: Any) -> int:
        return int(stream.handle)

    def synchronize_stream(self, stream: Any) -> None:
        try:
            stream.synchronize()
        except cuda.Error as error:
            raise _ours(error) from error

    def free_stream(self, stream: Any) -> None:
        pass  # pycuda frees streams and events with their last name, which the caller has just dropped

    def make_event(self) -> Any:
        with _in_our_words():
            return cuda.Event()

    def record_event(self, event: Any, stream: Any) -> None:
        try:
            event.record(stream)
        except cuda.Error as error:
            raise _ours(error) from error

    def wait_event(self, stream: Any, event: Any) -> None:
        try:
            stream.wait_for_event(event)
        except cuda.Error as error:
            raise _ours(error) from error

    def synchronize_event(self, event: Any) -> None:
        try:
            event.synchronize()
        except cuda.Error as error:
            raise _ours(error) from error

    def elapsed_ms(self, since: Any, event: Any) -> float:
        with _in_our_words():
            return float(event.time_since(since))

    def free_event(self, event: Any) -> None:
        pass

    def close(self) -> None:
        with _in_our_words():
            self._context.pop()
            self._context.detach()


def _ours(error: Exception) -> DeviceError:
    """pycuda says `<routine> failed: <what cuGetErrorString says>`, with ` - <more>` at times, and keeps no number."""
    routine, _, text = str(error).partition(" failed: ")
    name = name_of(text) or name_of(text.partition(" - ")[0])
    return device_error(name or text or str(error), routine)


@contextlib.contextmanager
def _in_our_words() -> Iterator[None]:
    """Where time does not matter; what is timed has a try of its own, which costs nothing."""
    try:
        yield
    except cuda.Error as error:
        raise _ours(error) from error
