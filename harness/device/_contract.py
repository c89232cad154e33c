"""What callers hold: a device, its memory, streams, events and graphs; the same whichever binding is below.

Strict: what is closed, too short or not recorded is a ValueError here, before CUDA would overwrite something. What
CUDA itself refuses is a DeviceError. Everything belongs to the thread that opened the device.
"""

import abc
import contextlib
from typing import Any, Callable, Dict, NamedTuple, Sequence, Tuple, Union

import numpy

from harness.device._binding import Binding
from harness.errors import DeviceError

KINDS = ("device", "pinned", "mapped", "managed")
"""`device`: its own memory. `pinned`: host memory that copies reach directly. `mapped`: pinned memory that kernels
read and write in place. `managed`: unified memory, at one address for both sides."""


class Span(NamedTuple):
    """Device memory that another runtime owns, and for whose size the caller vouches."""

    address: int
    nbytes: int


class _Owned(abc.ABC):
    """Something of a device that is closed once, by its holder or with its device."""

    def __init__(self, device: "Device", raw: Any) -> None:
        self._device, self._binding, self._raw = device, device._binding, raw
        device._owned[id(self)] = self

    def close(self) -> None:
        """Frees it; a second call does nothing."""
        raw, self._raw = self._raw, None
        if raw is not None:
            del self._device._owned[id(self)]
            self._free(raw)

    @abc.abstractmethod
    def _free(self, raw: Any) -> None: ...

    def _open(self) -> Any:
        """What the binding made, or ValueError once it is closed."""
        if self._raw is None:
            raise ValueError(f"this {type(self).__name__.lower()} is closed")
        return self._raw


class Buffer(_Owned):
    """Memory of one kind; its contents are whatever was there."""

    def __init__(self, device: "Device", kind: str, nbytes: int) -> None:
        self.kind, self.nbytes = kind, nbytes
        super().__init__(device, device._binding.allocate(kind, nbytes))

    @property
    def address(self) -> int:
        """As the device sees it."""
        return int(self._open().address)

    def view(self, shape: Sequence[int], dtype: Any) -> numpy.ndarray:
        """The bytes as an array of the host's, no copy; valid until `close`. ValueError for kind `device`.

        Managed memory may be touched only while the device is idle, or, once attached to a stream, while that is.
        """
        host = self._open().host
        if host is None:
            raise ValueError("the host cannot see a device buffer: copy it to a pinned one")
        needed = int(numpy.prod(shape, dtype=numpy.int64)) * numpy.dtype(dtype).itemsize
        if needed > self.nbytes:
            raise ValueError(f"a view of {needed} bytes over a {self.kind} buffer of {self.nbytes}")
        array: numpy.ndarray = host[:needed].view(dtype).reshape(tuple(shape))
        return array

    def attach(self, stream: "Stream") -> None:
        """Gives managed memory to one stream, in that stream's order.

        Where the device cannot page (all Jetsons), touching managed memory while any kernel runs ends the process;
        attached, only this stream's kernels count.
        """
        if self.kind != "managed":
            raise ValueError(f"only managed memory is attached to a stream, not {self.kind}")
        self._binding.attach(self._open(), stream._open())

    def _free(self, raw: Any) -> None:
        self._binding.free(self.kind, raw)


class Stream(_Owned):
    """Work in order; does not wait for the default stream, nor that for it."""

    def __init__(self, device: "Device") -> None:
        super().__init__(device, device._binding.make_stream())

    @property
    def handle(self) -> int:
        """The `cudaStream_t`, as runtimes take it."""
        return self._binding.stream_handle(self._open())

    def wait(self, event: "Event") -> None:
        """What is issued from now on starts only once the event's latest record is reached; returns at once."""
        self._binding.wait_event(self._open(), event._once_recorded())

    def synchronize(self) -> None:
        """Returns when all that was issued is done."""
        self._binding.synchronize_stream(self._open())

    def _free(self, raw: Any) -> None:
        self._binding.free_stream(raw)


class Event(_Owned):
    """A moment on a stream, by the device's clock."""

    def __init__(self, device: "Device") -> None:
        super().__init__(device, device._binding.make_event())
        self._recorded = False

    def record(self, stream: Stream) -> None:
        self._binding.record_event(self._open(), stream._open())
        self._recorded = True

    def synchronize(self) -> None:
        """Returns when the stream has reached it."""
        self._binding.synchronize_event(self._once_recorded())

    def elapsed_ns(self, since: "Event") -> int:
        """From `since` to this event; both must have been reached (DeviceError CUDA_ERROR_NOT_READY otherwise).

        CUDA counts in float milliseconds: 0.5 ns of rounding at 8 ms, 1 us at 16 s. So take both events of one
        iteration, never one at the start of a run.
        """
        return round(self._binding.elapsed_ms(since._once_recorded(), self._once_recorded()) * 1e6)

    def _once_recorded(self) -> Any:
        raw = self._open()
        if not self._recorded:
            raise ValueError("this event was never recorded")
        return raw

    def _free(self, raw: Any) -> None:
        self._binding.free_event(raw)


class Graph(_Owned):
    """Work that was captured once; it uses the addresses it was captured with."""

    def launch(self, stream: Stream) -> None:
        self._binding.launch_graph(self._open(), stream._open())

    def _free(self, raw: Any) -> None:
        self._binding.free_graph(raw)


class Device:
    """One CUDA device, opened. A context manager: leaving it frees whatever was made of it and is still open."""

    def __init__(self, binding: Binding, index: int = 0) -> None:
        self._binding, self.index = binding, index
        self._owned: Dict[int, _Owned] = {}
        self.closed = False
        self.name: str = binding.name
        self.compute_capability: Tuple[int, int] = binding.compute_capability
        self.integrated: bool = binding.integrated
        """Host and device share their memory, as on every Jetson."""
        self.total_bytes: int = binding.total_bytes

    def free_bytes(self) -> int:
        """As CUDA counts it; on an integrated device other processes of the host take from it too."""
        self._open()
        return self._binding.free_bytes()

    def buffer(self, kind: str, nbytes: int) -> Buffer:
        """Memory of one of KINDS; DeviceError CUDA_ERROR_OUT_OF_MEMORY where there is not enough."""
        self._open()
        if kind not in KINDS:
            raise ValueError(f"no kind of buffer {kind!r}; there are {', '.join(KINDS)}")
        if nbytes < 1:
            raise ValueError(f"a buffer of {nbytes} bytes")
        return Buffer(self, kind, nbytes)

    def stream(self) -> Stream:
        self._open()
        return Stream(self)

    def event(self) -> Event:
        self._open()
        return Event(self)

    def copy_to_device(self, target: Buffer, source: Buffer, stream: Stream) -> None:
        """Issues a copy of all of `source` (host-visible) to the start of `target`; may return before it is done."""
        allocation = source._open()
        _check_copy(source, target.nbytes)
        self._binding.copy_to_device(target._open().address, allocation, stream._open())

    def copy_to_host(self, target: Buffer, source: Union[Buffer, Span], stream: Stream) -> None:
        """Issues a copy into all of `target` (host-visible) from the start of `source`."""
        allocation = target._open()
        _check_copy(target, source.nbytes)
        self._binding.copy_to_host(allocation, source.address, stream._open())

    def capture(self, stream: Stream, issue: Callable[[], None]) -> Graph:
        """What `issue` puts on `stream`, as a graph; nothing of it runs yet.

        DeviceError (CUDA_ERROR_STREAM_CAPTURE_...) where it does what a graph cannot hold: allocate, or wait.
        """
        self._open()
        raw = stream._open()
        self._binding.begin_capture(raw)
        try:
            issue()
        except BaseException:
            self._binding.drop_capture(raw)
            raise
        return Graph(self, self._binding.end_capture(raw))

    def close(self) -> None:
        """Frees all, also where the device has failed meanwhile: then CUDA refuses, and there is nothing to free."""
        if self.closed:
            return
        for owned in reversed(list(self._owned.values())):
            with contextlib.suppress(DeviceError):
                owned.close()
        self.closed = True
        with contextlib.suppress(DeviceError):
            self._binding.close()

    def __enter__(self) -> "Device":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> None:
        if self.closed:
            raise ValueError("this device is closed")


def _check_copy(host: Buffer, other_nbytes: int) -> None:
    """A copy is as long as its host's side."""
    if host.kind == "device":
        raise ValueError("the host's side of a copy is a device buffer, which the host cannot see")
    if host.nbytes > other_nbytes:
        raise ValueError(f"a copy of {host.nbytes} bytes over the end of {other_nbytes}")
