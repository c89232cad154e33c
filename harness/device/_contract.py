"""What callers hold: a device, its memory, streams, events and graphs; the same whichever binding is below.

Strict: what is closed, too short or not recorded is a ValueError here, before CUDA would overwrite something. What
CUDA itself refuses is a DeviceError. Everything belongs to the thread that opened the device.
"""

import contextlib
from typing import Any, Callable, List, Sequence, Tuple

import numpy

from harness.device._binding import Binding
from harness.errors import DeviceError

KINDS = ("device", "pinned", "mapped", "managed")
"""`device`: its own memory. `pinned`: host memory that copies reach directly. `mapped`: pinned memory that kernels
read and write in place. `managed`: unified memory, at one address for both sides."""


class _Owned:
    """Something of a device that is closed once, by its holder or with its device."""

    def __init__(self, device: "Device", free: Callable[[], None], what: str) -> None:
        self._device, self._free, self._what = device, free, what
        self.closed = False
        device._owned.append(self)

    def close(self) -> None:
        """Frees it; a second call does nothing."""
        if self.closed:
            return
        self.closed = True
        self._device._owned.remove(self)
        self._free()

    def _open(self) -> None:
        if self.closed:
            raise ValueError(f"this {self._what} is closed")


class Buffer(_Owned):
    """Memory of one kind. `address` is as the device sees it; contents are whatever was there."""

    def __init__(self, device: "Device", kind: str, nbytes: int) -> None:
        binding = device._binding
        self._allocation = allocation = binding.allocate(kind, nbytes)
        self.kind, self.nbytes, self._address = kind, nbytes, allocation.address
        super().__init__(device, lambda: binding.free(kind, allocation), f"{kind} buffer")

    @property
    def address(self) -> int:
        self._open()
        return self._address

    def view(self, shape: Sequence[int], dtype: Any) -> numpy.ndarray:
        """The bytes as an array of the host's, no copy; valid until `close`. ValueError for kind `device`.

        Managed memory may be touched only while the device is idle, or, once attached to a stream, while that is.
        """
        self._open()
        if self._allocation.host is None:
            raise ValueError("the host cannot see a device buffer: copy it to a pinned one")
        needed = int(numpy.prod(shape, dtype=numpy.int64)) * numpy.dtype(dtype).itemsize
        if needed > self.nbytes:
            raise ValueError(f"a view of {needed} bytes over a {self.kind} buffer of {self.nbytes}")
        array: numpy.ndarray = self._allocation.host[:needed].view(dtype).reshape(tuple(shape))
        return array

    def attach(self, stream: "Stream") -> None:
        """Gives managed memory to one stream.

        Where the device cannot page (all Jetsons), touching managed memory while any kernel runs ends the process;
        attached, only this stream's kernels count.
        """
        self._open()
        stream._open()
        if self.kind != "managed":
            raise ValueError(f"only managed memory is attached to a stream, not {self.kind}")
        self._device._binding.attach(self._allocation, stream._raw)


class Stream(_Owned):
    """Work in order; does not wait for the default stream, nor that for it."""

    def __init__(self, device: "Device") -> None:
        binding = device._binding
        self._raw = raw = binding.make_stream()
        self._handle = binding.stream_handle(raw)
        self._synchronize = binding.synchronize_stream
        super().__init__(device, lambda: binding.free_stream(raw), "stream")

    @property
    def handle(self) -> int:
        """The `cudaStream_t`, as runtimes take it."""
        self._open()
        return self._handle

    def synchronize(self) -> None:
        """Returns when all that was issued is done."""
        self._open()
        self._synchronize(self._raw)


class Event(_Owned):
    """A moment on a stream, by the device's clock."""

    def __init__(self, device: "Device") -> None:
        binding = device._binding
        self._raw = raw = binding.make_event()
        self._record, self._recorded = binding.record_event, False
        super().__init__(device, lambda: binding.free_event(raw), "event")

    def record(self, stream: Stream) -> None:
        self._open()
        stream._open()
        self._record(self._raw, stream._raw)
        self._recorded = True

    def synchronize(self) -> None:
        """Returns when the stream has reached it."""
        self._reached()
        self._device._binding.synchronize_event(self._raw)

    def elapsed_ns(self, since: "Event") -> int:
        """From `since` to this event; both must have been reached (DeviceError CUDA_ERROR_NOT_READY otherwise).

        CUDA counts in float milliseconds: 0.5 ns of rounding at 8 ms, 1 us at 16 s. So take both events of one
        iteration, never one at the start of a run.
        """
        self._reached()
        since._reached()
        return round(self._device._binding.elapsed_ms(since._raw, self._raw) * 1e6)

    def _reached(self) -> None:
        self._open()
        if not self._recorded:
            raise ValueError("this event was never recorded")


class Graph(_Owned):
    """Work that was captured once; it uses the addresses it was captured with."""

    def __init__(self, device: "Device", raw: Any) -> None:
        self._raw = raw
        super().__init__(device, lambda: device._binding.free_graph(raw), "graph")

    def launch(self, stream: Stream) -> None:
        self._open()
        stream._open()
        self._device._binding.launch_graph(self._raw, stream._raw)


class Device:
    """One CUDA device, opened. A context manager: leaving it frees whatever was made of it and is still open."""

    def __init__(self, binding: Binding) -> None:
        self._binding = binding
        self._owned: List[_Owned] = []
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
        self._fits(target, source, source, stream)
        self._binding.copy_to_device(target._address, source._allocation.host, stream._raw)  # type: ignore[arg-type]

    def copy_to_host(self, target: Buffer, source: Buffer, stream: Stream) -> None:
        """Issues a copy into all of `target` (host-visible) from the start of `source`."""
        self._fits(target, source, target, stream)
        self._binding.copy_to_host(target._allocation.host, source._address, stream._raw)  # type: ignore[arg-type]

    def capture(self, stream: Stream, issue: Callable[[], None]) -> Graph:
        """What `issue` puts on `stream`, as a graph; nothing of it runs yet.

        DeviceError (CUDA_ERROR_STREAM_CAPTURE_...) where it does what a graph cannot hold: allocate, or wait.
        """
        self._open()
        stream._open()
        self._binding.begin_capture(stream._raw)
        try:
            issue()
        except BaseException:
            self._binding.drop_capture(stream._raw)
            raise
        return Graph(self, self._binding.end_capture(stream._raw))

    def close(self) -> None:
        """Frees all, also where the device has failed meanwhile: then CUDA refuses, and there is nothing to free."""
        if self.closed:
            return
        for owned in reversed(list(self._owned)):
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

    def _fits(self, target: Buffer, source: Buffer, host: Buffer, stream: Stream) -> None:
        for one in (target, source, stream):
            one._open()
        if host.kind == "device":
            raise ValueError("one side of a copy between host and device is a device buffer where the host's belongs")
        if host.nbytes > min(target.nbytes, source.nbytes):
            raise ValueError(f"a copy of {host.nbytes} bytes from {source.nbytes} to {target.nbytes}")
