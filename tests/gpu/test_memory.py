"""Buffers of all four kinds on a real device: what is written on one side is read on the other, and freed again."""

import gc
import resource

import numpy
import pytest

from harness.device import KINDS, Device, Tensor
from harness.errors import DeviceError
from tests.gpu.figures import Figures
from tests.gpu.kernels import Kernels

COUNT = 1 << 18
"""32-bit integers: 1 MiB."""
ROUNDS = 10_000


@pytest.mark.parametrize("kind", KINDS)
def test_a_kernel_changes_every_byte_where_the_buffer_says_that_it_is(
    device: Device, kernels: Kernels, kind: str
) -> None:
    stream, buffer = device.stream(), device.buffer(kind, 4 * COUNT)
    values = numpy.arange(COUNT, dtype=numpy.uint32) * 2654435761
    near = buffer if kind != "device" else device.buffer("pinned", 4 * COUNT)
    near.view((COUNT,), "uint32")[:] = values
    if near is not buffer:
        device.copy_to_device(buffer, near, stream)
    kernels.add_one(stream, buffer.address, COUNT)
    if near is not buffer:
        stream.synchronize()
        near.view((COUNT,), "uint32")[:] = 0
        device.copy_to_host(near, buffer, stream)
    stream.synchronize()
    assert numpy.array_equal(near.view((COUNT,), "uint32"), values + numpy.uint32(1))


@pytest.mark.parametrize("io_memory", ["pinned", "mapped", "managed"])
def test_a_tensor_goes_to_a_kernel_and_comes_back(device: Device, kernels: Kernels, io_memory: str) -> None:
    stream = device.stream()
    tensor = Tensor(device, io_memory, (2, COUNT // 2), "int32", stream)
    for turn in range(3):
        tensor.host[:] = numpy.arange(COUNT, dtype=numpy.int32).reshape(2, -1) * (turn + 1)
        tensor.to_device(stream)
        kernels.add_one(stream, tensor.address, COUNT)
        tensor.to_host(stream)
        stream.synchronize()
        assert numpy.array_equal(tensor.host.reshape(-1), numpy.arange(COUNT) * (turn + 1) + 1)


def test_managed_memory_of_one_stream_is_touched_while_another_works(device: Device, kernels: Kernels) -> None:
    busy, own = device.stream(), device.stream()
    clock, tensor = device.buffer("mapped", 16), Tensor(device, "managed", (COUNT,), "uint32", own)
    kernels.spin(busy, 50_000_000, clock.address)
    tensor.host[:] = 7
    kernels.add_one(own, tensor.address, COUNT)
    own.synchronize()
    assert set(tensor.host.tolist()) == {8}
    busy.synchronize()


def test_too_much_is_refused_by_cudas_name_and_the_device_goes_on(
    device: Device, binding: str, figures: Figures
) -> None:
    free = device.free_bytes()
    with pytest.raises(DeviceError) as caught:
        device.buffer("device", 2 * device.total_bytes)
    assert caught.value.name == "CUDA_ERROR_OUT_OF_MEMORY"
    assert caught.value.status == "failed"
    assert "CUDA_ERROR_OUT_OF_MEMORY; too little device memory is free" in str(caught.value)
    figures.add(binding, "what too much memory says", str(caught.value))
    assert device.free_bytes() == free
    device.buffer("device", 1 << 20).close()


def test_facts_of_the_device(device: Device, binding: str, machine: str, figures: Figures) -> None:
    major, minor = device.compute_capability
    assert machine.startswith(f"{device.name}, compute capability {major}.{minor}, ")
    assert 0 < device.free_bytes() < device.total_bytes
    figures.add(
        binding, "integrated, total bytes, free bytes", [device.integrated, device.total_bytes, device.free_bytes()]
    )


def test_nothing_is_left_behind_after_ten_thousand_of_each(device: Device, binding: str, figures: Figures) -> None:
    """Buffers of every kind, streams, events and graphs; the first thousand fill what the driver keeps for later."""

    def one() -> None:
        stream, event = device.stream(), device.event()
        buffers = {kind: device.buffer(kind, 1 << 16) for kind in KINDS}
        device.copy_to_device(buffers["device"], buffers["pinned"], stream)
        graph = device.capture(stream, lambda: device.copy_to_host(buffers["pinned"], buffers["device"], stream))
        graph.launch(stream)
        event.record(stream)
        event.synchronize()
        for owned in (graph, event, stream, *buffers.values()):
            owned.close()

    before = None
    for number in range(ROUNDS):
        one()
        if number == ROUNDS // 10:
            gc.collect()
            before = device.free_bytes(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert before is not None
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before[1]
    lost = before[0] - device.free_bytes()
    figures.add(binding, f"after {ROUNDS} of each: device memory lost, growth of the process", [lost, grown], "B, KiB")
    assert not device._owned
    assert lost == 0
    assert grown < 8 * 1024, "a kibibyte an iteration would be a leak"
