"""The device's own classes over plain memory: what they refuse, in which order things happen, and what is left behind.

`tests/gpu` runs the same calls on a real one.
"""

from typing import Iterator

import numpy
import pytest

from harness.device import KINDS, Device, Span, Tensor, Timer, _dlpack, device_error_in, open_device, present
from harness.device._words import ADVICE, RUNTIME_NAMES, device_error
from harness.errors import DeviceError, HarnessError, Unsupported
from tests.plain_device import FRESH, STEP_MS, PlainBinding, binding_of, plain_device


@pytest.fixture
def device() -> Iterator[Device]:
    with plain_device() as one:
        yield one
    assert not binding_of(one).live and not binding_of(one).streams and not binding_of(one).events


def test_a_round_trip_through_the_device_keeps_every_byte(device: Device) -> None:
    stream, near, far, back = device.stream(), *(device.buffer(kind, 4096) for kind in ("pinned", "device", "pinned"))
    near.view((1024,), "float32")[:] = numpy.arange(1024)
    device.copy_to_device(far, near, stream)
    device.copy_to_host(back, far, stream)
    assert back.view((4,), numpy.uint8).tolist() == [FRESH] * 4, "copies are over before anybody waited"
    stream.synchronize()
    assert back.view((1024,), "float32").tolist() == list(range(1024))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "device"])
def test_a_view_is_the_memory_itself(device: Device, kind: str) -> None:
    buffer = device.buffer(kind, 16)
    buffer.view((2, 2), "float32")[1, 1] = 5
    assert buffer.view((4,), "float32")[3] == 5
    with pytest.raises(ValueError, match=r"a view of 20 bytes over a .* buffer of 16"):
        buffer.view((5,), "float32")


def test_the_host_cannot_look_into_device_memory(device: Device) -> None:
    with pytest.raises(ValueError, match="cannot see a device buffer"):
        device.buffer("device", 16).view((4,), "float32")
    far, stream = device.buffer("device", 16), device.stream()
    with pytest.raises(ValueError, match="which the host cannot see"):
        device.copy_to_device(far, device.buffer("device", 16), stream)


def test_what_is_closed_is_refused_and_closing_twice_is_nothing(device: Device) -> None:
    buffer, stream, event = device.buffer("pinned", 16), device.stream(), device.event()
    far = device.buffer("device", 16)
    graph = device.capture(stream, lambda: device.copy_to_device(far, buffer, stream))
    event.record(stream)
    for one in (buffer, event, graph, stream):
        one.close()
        one.close()
    other, open_stream = device.buffer("pinned", 16), device.stream()
    for use in (
        lambda: buffer.address,
        lambda: buffer.view((4,), "float32"),
        lambda: device.copy_to_device(far, buffer, open_stream),
        lambda: device.copy_to_host(buffer, far, open_stream),
        lambda: device.copy_to_device(far, other, stream),
        lambda: stream.handle,
        stream.synchronize,
        lambda: event.record(open_stream),
        event.synchronize,
        lambda: graph.launch(open_stream),
        lambda: device.capture(stream, lambda: None),
    ):
        with pytest.raises(ValueError, match="is closed"):
            use()


def test_a_closed_device_gives_nothing_out() -> None:
    device = plain_device()
    held = device.buffer("pinned", 16)
    device.close()
    device.close()
    assert binding_of(device).closed
    for use in (
        lambda: device.buffer("pinned", 16),
        device.stream,
        device.event,
        device.free_bytes,
        lambda: held.address,
    ):
        with pytest.raises(ValueError, match="is closed"):
            use()


def test_copies_end_where_the_other_side_does(device: Device) -> None:
    stream, short, long = device.stream(), device.buffer("device", 8), device.buffer("pinned", 16)
    with pytest.raises(ValueError, match="16 bytes over the end of 8"):
        device.copy_to_device(short, long, stream)
    with pytest.raises(ValueError, match="16 bytes over the end of 8"):
        device.copy_to_host(long, short, stream)
    with pytest.raises(ValueError, match="16 bytes over the end of 8"):
        device.copy_to_host(long, Span(device.buffer("device", 16).address, 8), stream)


def test_memory_of_another_runtime_is_copied_by_its_address(device: Device) -> None:
    stream, near, far = device.stream(), device.buffer("pinned", 8), device.buffer("device", 16)
    binding_of(device).memory(far.address, 16)[:] = numpy.arange(16)
    device.copy_to_host(near, Span(far.address + 8, 8), stream)
    stream.synchronize()
    assert near.view((8,), numpy.uint8).tolist() == list(range(8, 16))


def test_events_are_read_only_once_they_were_recorded_and_reached(device: Device) -> None:
    stream, start, stop = device.stream(), device.event(), device.event()
    with pytest.raises(ValueError, match="never recorded"):
        stop.elapsed_ns(start)
    with pytest.raises(ValueError, match="never recorded"):
        start.synchronize()
    start.record(stream)
    stop.record(stream)
    with pytest.raises(DeviceError, match="CUDA_ERROR_NOT_READY"):
        stop.elapsed_ns(start)
    start.synchronize()
    with pytest.raises(DeviceError, match="CUDA_ERROR_NOT_READY"):
        stop.elapsed_ns(start)
    stop.synchronize()
    assert stop.elapsed_ns(start) == STEP_MS * 1e6


def test_a_timer_times_what_lies_between_its_calls(device: Device) -> None:
    stream = device.stream()
    timer = Timer(device, stream)
    for pieces in (0, 3):
        timer.start()
        for _ in range(pieces):
            binding_of(device).issue(stream.handle, lambda: None)
        timer.stop()
        stream.synchronize()
        assert timer.elapsed_ns() == (pieces + 1) * STEP_MS * 1e6


@pytest.mark.parametrize("io_memory", ["pinned", "mapped", "managed"])
def test_a_tensor_carries_values_to_the_device_and_back(device: Device, io_memory: str) -> None:
    stream, plain = device.stream(), binding_of(device)
    tensor = Tensor(device, io_memory, (2, 3), "float16", stream)
    assert (len(plain.live) == 2) is (io_memory == "pinned"), "only pinned memory is copied"
    tensor.host[:] = [[1, 2, 3], [4, 5, 6]]
    tensor.to_device(stream)

    def double() -> None:
        there = plain.memory(tensor.address, tensor.nbytes).view("float16")
        there *= 2

    plain.issue(stream.handle, double)
    tensor.to_host(stream)
    assert tensor.host.tolist() == [[1, 2, 3], [4, 5, 6]]
    stream.synchronize()
    assert tensor.host.tolist() == [[2, 4, 6], [8, 10, 12]]
    tensor.close()
    assert not plain.live


def test_another_runtime_sees_a_tensor_in_place(device: Device) -> None:
    tensor = Tensor(device, "mapped", (2, 3), "int16")
    seen = tensor._described.tensor
    assert tensor.__dlpack_device__() == (seen.device_type, seen.device_id) == (2, 0)
    assert (seen.data, seen.code, seen.bits, seen.lanes, seen.byte_offset) == (tensor.address, 0, 16, 1, 0)
    assert seen.shape[: seen.ndim] == [2, 3]

    class Reader:
        """The same description, of memory that numpy can read."""

        def __init__(self) -> None:
            self.described = _dlpack.describe(tensor.host.ctypes.data, tensor.shape, tensor.dtype, 0)
            self.described.tensor.device_type = 1

        def __dlpack__(self, **_: object) -> object:
            return _dlpack.capsule(self.described)

        def __dlpack_device__(self) -> "tuple[int, int]":
            return 1, 0

    if not hasattr(numpy, "from_dlpack"):
        pytest.skip("this numpy reads no DLPack")
    reader = Reader()
    array = numpy.from_dlpack(reader)
    tensor.host[:] = [[1, 2, 3], [4, 5, 6]]
    assert array.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_a_stream_that_waits_for_an_event_starts_after_it(device: Device) -> None:
    first, second, event, plain = device.stream(), device.stream(), device.event(), binding_of(device)
    order = []
    with pytest.raises(ValueError, match="never recorded"):
        second.wait(event)
    plain.issue(first.handle, lambda: order.append("first"))
    event.record(first)
    plain.issue(first.handle, lambda: order.append("after the event"))
    second.wait(event)
    plain.issue(second.handle, lambda: order.append("second"))
    second.synchronize()
    assert order == ["first", "second"]


def test_a_tensor_of_host_memory_is_refused(device: Device) -> None:
    with pytest.raises(ValueError, match="pinned, mapped, managed, not 'host'"):
        Tensor(device, "host", (1,), "float32")
    with pytest.raises(ValueError, match="only managed memory is attached"):
        device.buffer("mapped", 4).attach(device.stream())


def test_a_graph_does_again_what_was_captured_and_nothing_before_it_is_launched(device: Device) -> None:
    stream, near, far, back = device.stream(), *(device.buffer(kind, 4) for kind in ("pinned", "device", "pinned"))

    def issue() -> None:
        device.copy_to_device(far, near, stream)
        device.copy_to_host(back, far, stream)

    graph = device.capture(stream, issue)
    stream.synchronize()
    assert back.view((4,), numpy.uint8).tolist() == [FRESH] * 4
    for value in (1, 2):
        near.view((4,), numpy.uint8)[:] = value
        graph.launch(stream)
        stream.synchronize()
        assert back.view((4,), numpy.uint8).tolist() == [value] * 4


def test_what_cannot_be_captured_ends_the_capture(device: Device) -> None:
    stream = device.stream()
    for issue in (stream.synchronize, lambda: device.buffer("device", 4)):
        with pytest.raises(DeviceError, match=r"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED; .*leave cuda_graph off"):
            device.capture(stream, issue)  # type: ignore[arg-type]
        stream.synchronize()
    with pytest.raises(ZeroDivisionError):
        device.capture(stream, lambda: 1 / 0)  # type: ignore[arg-type,return-value]
    device.capture(stream, lambda: None)


def test_too_much_memory_is_said_by_name_and_leaves_nothing() -> None:
    with plain_device(total_bytes=100) as device:
        device.buffer("device", 60)
        with pytest.raises(DeviceError, match="CUDA_ERROR_OUT_OF_MEMORY; too little device memory is free") as caught:
            device.buffer("device", 41)
        assert (caught.value.name, caught.value.status) == ("CUDA_ERROR_OUT_OF_MEMORY", "failed")
        assert device.free_bytes() == 40
        device.buffer("device", 40)


@pytest.mark.parametrize(("kind", "nbytes"), [("unified", 4), ("device", 0), ("pinned", -1)])
def test_buffers_of_no_kind_or_no_size_are_refused(device: Device, kind: str, nbytes: int) -> None:
    with pytest.raises(ValueError, match="buffer"):
        device.buffer(kind, nbytes)


def test_a_device_that_fails_is_still_closed() -> None:
    class Lost(PlainBinding):
        lost = False

        def free(self, kind, allocation) -> None:  # type: ignore[no-untyped-def]
            if self.lost:
                raise device_error("CUDA_ERROR_CONTEXT_IS_DESTROYED", "cuMemFree")
            super().free(kind, allocation)

    binding = Lost()
    with pytest.raises(DeviceError, match="CUDA_ERROR_LAUNCH_FAILED"), Device(binding) as device:
        device.buffer("device", 4)
        device.stream()
        binding.lost = True
        raise device_error("CUDA_ERROR_LAUNCH_FAILED", "cuStreamSynchronize")
    assert binding.closed and not binding.streams


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("CUDA Runtime Error: cudaErrorMemoryAllocation (2): out of memory", "CUDA_ERROR_OUT_OF_MEMORY"),
        ("[E] 1: [defaultAllocator.cpp] Error Code 1: Cuda Runtime (out of memory)", "CUDA_ERROR_OUT_OF_MEMORY"),
        ("cuModuleLoadData failed with error: CUDA_ERROR_NO_BINARY_FOR_GPU", "CUDA_ERROR_NO_BINARY_FOR_GPU"),
        ("CUDA Runtime Error: cudaErrorIllegalAddress (700): an illegal memory", "CUDA_ERROR_ILLEGAL_ADDRESS"),
        ("cudaErrorLaunchFailure: unspecified launch failure", "CUDA_ERROR_LAUNCH_FAILED"),
        ("the tensor's shape differs", None),
        ("CUDA_ERROR_INVALID_VALUE", None),
    ],
)
def test_cuda_errors_are_found_in_what_runtimes_say(text: str, name: "str | None") -> None:
    found = device_error_in(text, "tvm")
    assert (found.name if found else None) == name


def test_every_name_has_advice_and_only_memory_is_final() -> None:
    assert set(RUNTIME_NAMES.values()) <= set(ADVICE)
    for name in ADVICE:
        error = device_error(name, "cuCtxCreate")
        assert isinstance(error, HarnessError)
        assert str(error).startswith(f"cuCtxCreate: {name}; ")
        assert error.status == ("failed" if name == "CUDA_ERROR_OUT_OF_MEMORY" else "crashed")


def test_without_a_device_the_reason_is_said() -> None:
    try:
        present()
    except Unsupported as error:
        with pytest.raises(Unsupported) as caught:
            open_device()
        assert str(caught.value) == str(error)
        assert "CUDA" in str(error)
    else:
        pytest.skip("there is a CUDA device here: tests/gpu is about it")
