"""Streams, events and graphs on a real device, held against a kernel that times itself by the device's own timer."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy
import pytest

from harness.device import Device, Timer
from harness.errors import DeviceError
from tests.gpu.figures import Figures
from tests.gpu.kernels import Kernels

MS = 1_000_000
COUNT = 1 << 16
ROOT = Path(__file__).resolve().parents[2]
BROKEN = """
import sys
from harness.device import open_device
from harness.errors import DeviceError
from tests.gpu.kernels import Kernels
with open_device(binding=sys.argv[1]) as device:
    stream, buffer = device.stream(), device.buffer("pinned", 64)
    Kernels().add_one(stream, 0, 1)
    try:
        stream.synchronize()
    except DeviceError as error:
        print(error.name, error.status, error, sep="|")
print("closed")
"""


@pytest.mark.parametrize("asked_ns", [MS, 10 * MS, 100 * MS])
def test_a_timer_says_how_long_a_kernel_of_known_length_ran(
    device: Device, kernels: Kernels, binding: str, figures: Figures, asked_ns: int
) -> None:
    stream, clock, lead = device.stream(), device.buffer("mapped", 16), device.buffer("mapped", 16)
    timer, pairs, step_ns = Timer(device, stream), [], 0
    for turn in range(12):
        # The device is busy until all three are issued: else it would wait for the host between them.
        kernels.spin(stream, 5 * MS, lead.address)
        timer.start()
        kernels.spin(stream, asked_ns, clock.address)
        timer.stop()
        stream.synchronize()
        known_ns, step_ns = (int(value) for value in clock.view((2,), "uint64"))
        assert known_ns >= asked_ns
        if turn >= 2:  # the first kernels are still being loaded
            pairs.append((timer.elapsed_ns(), known_ns))
    ratios = [ours / known for ours, known in pairs]
    what = f"events over the kernel's own {asked_ns / MS:g} ms: least, median, most; step of the device's timer in ns"
    row = [min(ratios), statistics.median(ratios), max(ratios), step_ns]
    figures.add(binding, what, row, pairs_ns=pairs)
    # A kernel's own time is known to two of those steps, and it does not see itself being started.
    allowed = 0.02 + 2 * step_ns / asked_ns
    assert allowed < 0.1, "the device's timer is too coarse for this length"
    assert all(1 - allowed < ratio < 1 + allowed for ratio in ratios), pairs


def test_an_empty_span_is_short(device: Device, kernels: Kernels, binding: str, figures: Figures) -> None:
    stream, timer, spans = device.stream(), None, []
    timer = Timer(device, stream)
    for _ in range(100):
        timer.start()
        timer.stop()
        stream.synchronize()
        spans.append(timer.elapsed_ns())
    figures.add(binding, "two events with nothing between them, median", statistics.median(spans), "ns")
    assert 0 <= statistics.median(spans) < 50_000


def test_streams_do_not_wait_for_each_other_and_issuing_does_not_block(device: Device, kernels: Kernels) -> None:
    slow, quick = device.stream(), device.stream()
    clock, near, far = (
        device.buffer("mapped", 16),
        device.buffer("pinned", 4 * COUNT),
        device.buffer("device", 4 * COUNT),
    )
    kernels.spin(slow, MS, clock.address)
    kernels.add_one(quick, far.address, COUNT)
    slow.synchronize()
    start = time.perf_counter()
    kernels.spin(slow, 200 * MS, clock.address)
    device.copy_to_device(far, near, slow)
    issued = time.perf_counter() - start
    kernels.add_one(quick, far.address, COUNT)
    quick.synchronize()
    other = time.perf_counter() - start
    slow.synchronize()
    assert issued < 0.1
    assert other < 0.15
    assert time.perf_counter() - start > 0.19


def test_a_stream_waits_for_an_event_of_another(device: Device, kernels: Kernels) -> None:
    first, second, event = device.stream(), device.stream(), device.event()
    clock, near, back = (
        device.buffer("mapped", 16),
        device.buffer("pinned", 4 * COUNT),
        device.buffer("pinned", 4 * COUNT),
    )
    far = device.buffer("device", 4 * COUNT)
    near.view((COUNT,), "uint32")[:] = 5
    kernels.spin(first, 50 * MS, clock.address)
    device.copy_to_device(far, near, first)
    event.record(first)
    second.wait(event)
    kernels.add_one(second, far.address, COUNT)
    device.copy_to_host(back, far, second)
    second.synchronize()
    assert set(back.view((COUNT,), "uint32").tolist()) == {6}


def test_an_event_that_is_not_reached_is_not_read(device: Device, kernels: Kernels) -> None:
    stream, clock, start, stop = device.stream(), device.buffer("mapped", 16), device.event(), device.event()
    start.record(stream)
    kernels.spin(stream, 100 * MS, clock.address)
    stop.record(stream)
    with pytest.raises(DeviceError, match="CUDA_ERROR_NOT_READY"):
        stop.elapsed_ns(start)
    stop.synchronize()
    assert stop.elapsed_ns(start) > 99 * MS


def test_a_graph_does_again_what_was_captured(device: Device, kernels: Kernels, binding: str, figures: Figures) -> None:
    stream, far = device.stream(), device.buffer("device", 4 * COUNT)
    near, back = device.buffer("pinned", 4 * COUNT), device.buffer("pinned", 4 * COUNT)

    def issue() -> None:
        device.copy_to_device(far, near, stream)
        for _ in range(20):
            kernels.add_one(stream, far.address, COUNT)
        device.copy_to_host(back, far, stream)

    issue()
    stream.synchronize()
    back.view((COUNT,), "uint32")[:] = 99
    graph = device.capture(stream, issue)
    stream.synchronize()
    assert back.view((COUNT,), "uint32")[0] == 99, "capturing runs nothing"
    for turn in range(5):
        near.view((COUNT,), "uint32")[:] = numpy.arange(COUNT) * turn
        graph.launch(stream)
        stream.synchronize()
        assert numpy.array_equal(back.view((COUNT,), "uint32"), numpy.arange(COUNT) * turn + 20)
    times = []
    for work in (issue, lambda: graph.launch(stream)):
        start = time.perf_counter_ns()
        work()
        times.append(time.perf_counter_ns() - start)
        stream.synchronize()
    figures.add(binding, "host time to issue 22 pieces of work one by one, and as a graph", times, "ns")


def test_what_a_graph_cannot_hold_is_said_by_name_and_the_device_goes_on(device: Device) -> None:
    stream = device.stream()
    for issue in (stream.synchronize, lambda: device.buffer("device", 1 << 20)):
        with pytest.raises(DeviceError, match=r"CUDA_ERROR_STREAM_CAPTURE_\w+; .*leave cuda_graph off"):
            device.capture(stream, issue)  # type: ignore[arg-type]
        stream.synchronize()
    assert not [one for one in device._owned.values() if type(one).__name__ in ("Graph", "Buffer")]


def test_a_broken_kernel_is_said_by_name_and_everything_still_closes(
    device: Device, binding: str, figures: Figures
) -> None:
    """In a process of its own: its context is lost."""
    name = {"PyCuda": "pycuda", "CudaPython": "cuda-python"}[binding]
    ended = subprocess.run(
        [sys.executable, "-c", BROKEN, name], cwd=str(ROOT), capture_output=True, text=True, timeout=120, check=False
    )
    lines = ended.stdout.strip().splitlines()
    assert ended.returncode == 0, ended.stderr
    assert lines[-1] == "closed"
    assert lines[0].startswith("CUDA_ERROR_ILLEGAL_ADDRESS|crashed|"), lines
    figures.add(binding, "what a broken kernel says", lines[0].split("|")[2])
    figures.add(binding, "what the binding prints while a lost context is torn down", ended.stderr.strip()[-300:])
