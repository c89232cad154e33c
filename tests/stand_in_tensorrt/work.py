"""Puts the stand-in's inferences on a stream: copies between device addresses, on plain memory or on a real GPU."""

import abc
import ctypes
from typing import Any, Callable, List, Tuple

from harness.device import Device, open_device
from tests.plain_device import PlainBinding, PlainStream

Copy = Tuple[int, int, int]
"""Target, source, bytes."""
RANGE_START, RANGE_SIZE = 11, 12
"""CU_POINTER_ATTRIBUTE_RANGE_START_ADDR and _RANGE_SIZE, cuda.h."""


class Work(abc.ABC):
    @abc.abstractmethod
    def open(self) -> Device:
        """What the harness gets when it opens the device."""

    @abc.abstractmethod
    def issue(self, handle: int, copies: List[Copy], done: Callable[[], None]) -> None:
        """Puts `copies` on the stream of that handle; `done` is called once they are done, or cannot be waited for."""

    @abc.abstractmethod
    def now(self, copies: List[Copy]) -> None:
        """Does them at once, on the default stream."""

    @abc.abstractmethod
    def holds(self, address: int, nbytes: int) -> bool:
        """Whether that is live memory, as the device sees it, of one allocation."""

    @abc.abstractmethod
    def read(self, address: int, nbytes: int) -> bytes:
        """What lies there now."""

    @abc.abstractmethod
    def capturing(self, handle: int) -> bool:
        """Whether what is put on that stream goes into a graph."""


class EagerBinding(PlainBinding):
    """Work is done as soon as it is issued: as far as CUDA may go, at the other end from doing it when it must."""

    def _put(self, stream: PlainStream, work: Callable[[], None]) -> None:
        super()._put(stream, work)
        if stream.captured is None:
            self._run(stream)


class PlainWork(Work):
    """`eager` or as late as can be: a caller that is right is right with either."""

    def __init__(self, eager: bool = False, total_bytes: int = 1 << 30) -> None:
        self.binding = (EagerBinding if eager else PlainBinding)(total_bytes)

    def open(self) -> Device:
        return Device(self.binding)

    def issue(self, handle: int, copies: List[Copy], done: Callable[[], None]) -> None:
        def work() -> None:
            self.now(copies)
            done()

        self.binding.issue(handle, work)

    def now(self, copies: List[Copy]) -> None:
        for target, source, nbytes in copies:
            self.binding.memory(target, nbytes)[:] = self.binding.memory(source, nbytes)

    def holds(self, address: int, nbytes: int) -> bool:
        try:
            return self.binding.memory(address, nbytes).nbytes == nbytes
        except ValueError:
            return False

    def read(self, address: int, nbytes: int) -> bytes:
        return self.binding.memory(address, nbytes).tobytes()

    def capturing(self, handle: int) -> bool:
        return handle in self.binding.streams and self.binding.streams[handle].captured is not None


class CudaWork(Work):
    """On a real device; by the driver's own calls, so that any binding will do."""

    def __init__(self) -> None:
        self._driver: Any = ctypes.CDLL("libcuda.so.1")

    def open(self) -> Device:
        return open_device()

    def issue(self, handle: int, copies: List[Copy], done: Callable[[], None]) -> None:
        for target, source, nbytes in copies:
            self._call("cuMemcpyAsync", *map(ctypes.c_uint64, (target, source, nbytes)), ctypes.c_void_p(handle))
        done()

    def now(self, copies: List[Copy]) -> None:
        for target, source, nbytes in copies:
            self._call("cuMemcpy", *map(ctypes.c_uint64, (target, source, nbytes)))
        self._call("cuStreamSynchronize", ctypes.c_void_p(0))

    def holds(self, address: int, nbytes: int) -> bool:
        start, size = ctypes.c_uint64(), ctypes.c_size_t()
        for value, attribute in ((start, RANGE_START), (size, RANGE_SIZE)):
            if self._driver.cuPointerGetAttribute(ctypes.byref(value), attribute, ctypes.c_uint64(address)):
                return False
        return start.value <= address and address + nbytes <= start.value + size.value

    def read(self, address: int, nbytes: int) -> bytes:
        found = ctypes.create_string_buffer(nbytes)
        self._call("cuMemcpyDtoH_v2", found, ctypes.c_uint64(address), ctypes.c_size_t(nbytes))
        return found.raw

    def capturing(self, handle: int) -> bool:
        status = ctypes.c_int()
        self._call("cuStreamIsCapturing", ctypes.c_void_p(handle), ctypes.byref(status))
        return status.value != 0

    def _call(self, routine: str, *arguments: Any) -> None:
        code = getattr(self._driver, routine)(*arguments)
        assert code == 0, f"{routine} answers {code}"
