"""A device of plain host memory below the harness's own device classes, stricter than CUDA: for tests without a GPU.

Work on a stream is done when somebody synchronizes it and not before, so that a forgotten synchronize shows; memory is
full of 0xA5 until something is written; addresses are never given out twice, so that a stale one is found. What a
runtime's stand-in computes, it puts on a stream with `issue` and reads and writes through `memory`.
"""

from typing import Any, Callable, Dict, List, Optional

import numpy

from harness.device import Device
from harness.device._binding import Allocation, Binding
from harness.device._words import OUT_OF_MEMORY, device_error

Work = Callable[[], None]
GAP = 4096
FRESH = 0xA5
STEP_MS = 0.25
"""What every piece of work takes, by the clock that events read."""


class PlainStream:
    def __init__(self, handle: int) -> None:
        self.handle, self.pending = handle, []  # type: int, List[Work]
        self.captured: Optional[List[Work]] = None
        self.capture_broken = False


class PlainEvent:
    def __init__(self) -> None:
        self.stream: Optional[PlainStream] = None
        self.reached_ms: Optional[float] = None


class PlainBinding(Binding):
    name = "plain memory"
    compute_capability = (8, 7)
    integrated = True

    def __init__(self, total_bytes: int = 1 << 30) -> None:
        self.total_bytes = total_bytes
        self.now_ms = 0.0
        self.streams: Dict[int, PlainStream] = {}
        self.live: Dict[int, numpy.ndarray] = {}
        """By the address of its first byte, as the device sees it."""
        self.events = self.graphs = 0
        self.closed = False
        self._next = 0x7000_0000_0000

    def memory(self, address: int, nbytes: int) -> numpy.ndarray:
        """The device's bytes there, as a kernel would find them; ValueError where they are nobody's."""
        for start, array in self.live.items():
            if start <= address and address + nbytes <= start + array.nbytes:
                return array[address - start : address - start + nbytes]
        raise ValueError(f"illegal address: no live memory holds {nbytes} bytes at {address:#x}")

    def issue(self, handle: int, work: Work) -> None:
        """Puts work on the stream of that handle; ValueError where there is none."""
        if handle not in self.streams:
            raise ValueError(f"no stream has the handle {handle:#x}")
        self._put(self.streams[handle], work)

    def _put(self, stream: PlainStream, work: Work) -> None:
        (stream.pending if stream.captured is None else stream.captured).append(work)

    def _run(self, stream: PlainStream, until: Optional[PlainEvent] = None) -> None:
        while stream.pending and (until is None or until.reached_ms is None):
            self.now_ms += STEP_MS
            stream.pending.pop(0)()

    def _run_all(self) -> None:
        for stream in self.streams.values():
            self._run(stream)

    def _not_while_capturing(self, routine: str) -> None:
        for stream in self.streams.values():
            if stream.captured is not None:
                stream.capture_broken = True
                raise device_error("CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", routine)

    def free_bytes(self) -> int:
        return self.total_bytes - sum(array.nbytes for array in self.live.values())

    def allocate(self, kind: str, nbytes: int) -> Allocation:
        self._not_while_capturing("allocate")
        if nbytes > self.free_bytes():
            raise device_error(OUT_OF_MEMORY, "allocate")
        address = self._next
        self._next += (nbytes + 2 * GAP - 1) // GAP * GAP
        self.live[address] = array = numpy.full(nbytes, FRESH, numpy.uint8)
        return Allocation(address, nbytes, None if kind == "device" else array, array)

    def free(self, kind: str, allocation: Allocation) -> None:
        self._run_all()  # as CUDA does
        del self.live[allocation.address]

    def attach(self, allocation: Allocation, stream: PlainStream) -> None:
        self._put(stream, lambda: None)

    def copy_to_device(self, address: int, source: Allocation, stream: PlainStream) -> None:
        self._put(stream, lambda: self._copy(self.memory(address, source.nbytes), source.owner))

    def copy_to_host(self, target: Allocation, address: int, stream: PlainStream) -> None:
        self._put(stream, lambda: self._copy(target.owner, self.memory(address, target.nbytes)))

    @staticmethod
    def _copy(target: numpy.ndarray, source: numpy.ndarray) -> None:
        target[:] = source

    def make_stream(self) -> PlainStream:
        self._next += GAP
        stream = self.streams[self._next] = PlainStream(self._next)
        return stream

    def stream_handle(self, stream: PlainStream) -> int:
        return stream.handle

    def synchronize_stream(self, stream: PlainStream) -> None:
        self._not_while_capturing("synchronize")
        self._run(stream)

    def free_stream(self, stream: PlainStream) -> None:
        self._run(stream)
        del self.streams[stream.handle]

    def make_event(self) -> PlainEvent:
        self.events += 1
        return PlainEvent()

    def record_event(self, event: PlainEvent, stream: PlainStream) -> None:
        event.stream, event.reached_ms = stream, None
        self._put(stream, lambda: setattr(event, "reached_ms", self.now_ms))

    def wait_event(self, stream: PlainStream, event: PlainEvent) -> None:
        # The record that counts is the one before now; its stream runs up to it when this one gets here.
        self._put(stream, lambda: self._run(event.stream, until=event) if event.stream else None)

    def synchronize_event(self, event: PlainEvent) -> None:
        self._not_while_capturing("synchronize")
        assert event.stream is not None
        self._run(event.stream, until=event)

    def elapsed_ms(self, since: PlainEvent, event: PlainEvent) -> float:
        if since.reached_ms is None or event.reached_ms is None:
            raise device_error("CUDA_ERROR_NOT_READY", "elapsed")
        return event.reached_ms - since.reached_ms

    def free_event(self, event: PlainEvent) -> None:
        self.events -= 1

    def begin_capture(self, stream: PlainStream) -> None:
        stream.captured, stream.capture_broken = [], False

    def end_capture(self, stream: PlainStream) -> List[Work]:
        captured, stream.captured = stream.captured, None
        if stream.capture_broken or captured is None:
            raise device_error("CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "capture")
        self.graphs += 1
        return captured

    def drop_capture(self, stream: PlainStream) -> None:
        stream.captured = None

    def launch_graph(self, graph: List[Work], stream: PlainStream) -> None:
        for work in graph:
            self._put(stream, work)

    def free_graph(self, graph: List[Work]) -> None:
        self.graphs -= 1

    def close(self) -> None:
        self.closed = True


def plain_device(total_bytes: int = 1 << 30) -> Device:
    return Device(PlainBinding(total_bytes))


def binding_of(device: Device) -> PlainBinding:
    """What is below a device that `plain_device` made."""
    found: Any = device._binding
    assert isinstance(found, PlainBinding)
    return found
