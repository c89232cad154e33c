"""The runner of TVM on CUDA over plain memory, with a stand-in for each generation of TVM that keeps its rules.

The rules, each seen in the sources of TVM 0.27 and 0.19: kernels go to the stream that the thread was told
(cuda_module.cc), weights are copied on the default stream (tensor.cc, ndarray.cc), results come from a pool that takes
memory back at once when it is dropped, whatever still runs (pooled_allocator.h). In 0.27 `data_ptr` is an address; in
0.19 a tensor of the virtual machine lies at an offset into its block (memory_manager.cc), and a device is told its
stream by handle, or by None for the default one (runtime_ctypes.py). `tests/gpu/test_tvm.py` runs today's real one.
"""

import ctypes
import sys
import types
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy
import pytest

from harness.backends import _tvm_cuda, _tvm_earlier, _tvm_today
from harness.device import Device
from harness.errors import BuildError, DeviceError, Unsupported
from harness.records import InferenceOptions
from tests.plain_device import PlainBinding, binding_of, plain_device

LAYOUT = {
    "inputs": [{"name": "x", "shape": [4], "dtype": "float32"}, {"name": "y", "shape": [4], "dtype": "float32"}],
    "outputs": [{"name": "sum", "shape": [4], "dtype": "float32"}],
}
NBYTES = 16


class Memory:
    """A tensor of TVM's: an address."""

    def __init__(self, address: int, pool: "Optional[List[int]]" = None) -> None:
        self.address, self.pool = address, pool

    def __del__(self) -> None:
        if self.pool is not None:
            self.pool.append(self.address)


class TodaysMemory(Memory):
    def data_ptr(self) -> int:
        return self.address


class EarlierMemory(Memory):
    """It begins one element into its block."""

    @property
    def handle(self) -> Any:
        return types.SimpleNamespace(contents=types.SimpleNamespace(data=self.address - 4, byte_offset=4))


class StandIn:
    """What the runner uses of TVM: the model adds its inputs, by way of an intermediate of the pool."""

    memory = Memory

    def __init__(self, device: Device) -> None:
        self.device, self.plain = device, binding_of(device)
        self.stream = self.launched_on = 0
        self.pool: List[int] = []
        self.synced = False
        self.fail: Optional[Exception] = None
        self.calls = 0
        self.relax = types.SimpleNamespace(VirtualMachine=lambda module, gpu: {"main": self.main})
        self.runtime = types.SimpleNamespace(load_module=lambda path: path)

    def cuda(self, index: int) -> Any:
        return types.SimpleNamespace(sync=lambda: setattr(self, "synced", True))

    def _new(self) -> Memory:
        address = self.pool.pop() if self.pool else self.device.buffer("device", NBYTES).address
        return self.memory(address, self.pool)

    def main(self, x: Memory, y: Memory) -> Memory:
        self.calls += 1
        assert self.synced, "weights are still on their way"
        self.launched_on = self.stream
        if self.fail is not None:
            raise self.fail
        between, result = self._new(), self._new()
        read, write = (lambda address: self.plain.memory(address, NBYTES).view("float32")), between.address
        target, first, second = result.address, x.address, y.address

        def copy() -> None:
            read(write)[:] = read(first)

        def add() -> None:
            read(target)[:] = read(write) + read(second)

        self.plain.issue(self.stream, copy)
        self.plain.issue(self.stream, add)
        return result


class Today(StandIn):
    """`tvm` and `tvm_ffi` of 0.27."""

    memory = TodaysMemory

    def __init__(self, device: Device) -> None:
        super().__init__(device)
        self.runtime.from_dlpack = lambda tensor: self.memory(tensor.address)

    def use_raw_stream(self, gpu: Any, handle: int) -> "Told":
        return Told(self, handle)


class Earlier(StandIn):
    """`tvm` of 0.19."""

    memory = EarlierMemory

    def __init__(self, device: Device) -> None:
        super().__init__(device)
        self.nd = types.SimpleNamespace(from_dlpack=lambda tensor: self.memory(tensor.address))

    def cuda(self, index: int) -> Any:
        gpu = super().cuda(index)
        gpu.set_raw_stream = self._tell
        return gpu

    def _tell(self, handle: Optional[ctypes.c_void_p]) -> None:
        self.stream = (handle.value or 0) if handle is not None else 0


class Told:
    def __init__(self, tvm: StandIn, handle: int) -> None:
        self.tvm, self.handle = tvm, handle

    def __enter__(self) -> None:
        self.tvm.stream = self.handle

    def __exit__(self, *_: object) -> None:
        self.tvm.stream = 0


def options(**more: object) -> InferenceOptions:
    return InferenceOptions(**{"threads": 1, "io_memory": "pinned", **more})  # type: ignore[arg-type]


Load = Callable[..., Tuple[StandIn, _tvm_cuda.Runner]]


@pytest.fixture(params=["today", "earlier"])
def load(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Load:
    def loaded(device: Device, **more: object) -> Tuple[StandIn, _tvm_cuda.Runner]:
        today = request.param == "today"
        tvm = Today(device) if today else Earlier(device)
        monkeypatch.setitem(sys.modules, "tvm", tvm)  # type: ignore[arg-type]
        monkeypatch.setitem(sys.modules, "tvm_ffi", tvm if today else None)  # type: ignore[arg-type]
        generation = _tvm_today if today else _tvm_earlier
        return tvm, _tvm_cuda.Runner(tvm, generation, "model.so", LAYOUT, options(**more), device)  # type: ignore[arg-type]

    return loaded


def feed(value: float) -> Dict[str, numpy.ndarray]:
    return {"x": numpy.full(4, value, "float32"), "y": numpy.arange(4, dtype="float32")}


@pytest.fixture
def device() -> Device:
    device = plain_device()
    device.integrated = False
    return device


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("io_memory", ["pinned", "mapped", "managed"])
def test_every_inference_has_its_own_inputs_and_outputs(
    load: Load, device: Device, io_memory: str, graph: bool
) -> None:
    tvm, runner = load(device, io_memory=io_memory, cuda_graph=graph)
    calls = tvm.calls
    with runner:
        timer = runner.device_timer()
        for value in (1.0, 2.0, 3.0):
            runner.set_inputs(feed(value))
            timer.start()
            runner.enqueue()
            timer.stop()
            runner.synchronize()
            assert timer.elapsed_ns() > 0
            assert runner.get_outputs()["sum"].tolist() == [value, value + 1, value + 2, value + 3]
    assert tvm.calls == calls + (0 if graph else 3)
    assert tvm.stream == 0, "our stream is nobody's once it is closed"
    assert device.closed and not binding_of(device).live


def test_of_two_engines_each_launches_on_the_stream_that_it_waits_for(load: Load, device: Device) -> None:
    """They would be timed until the other's stream is idle: an engine of 1.3 ms was once said to take 0.4 ms."""
    tvm, first = load(device)
    second = _tvm_cuda.Runner(tvm, first._generation, "model.so", LAYOUT, options(), device)  # type: ignore[arg-type]
    runners, handles = (first, second), [one._stream.handle for one in (first, second)]
    for turn in (0, 1, 0, 0, 1):
        runners[turn].set_inputs(feed(float(turn)))
        runners[turn].enqueue()
        assert tvm.launched_on == handles[turn]
        runners[turn].synchronize()
        assert runners[turn].get_outputs()["sum"].tolist() == [turn, turn + 1, turn + 2, turn + 3]
    first.close()
    assert tvm.stream == handles[1], "what another engine leaves is none of ours"
    second.close()
    assert tvm.stream == 0


@pytest.mark.parametrize("graph", [False, True])
def test_two_slots_in_flight_keep_their_own_values(load: Load, device: Device, graph: bool) -> None:
    _, runner = load(device, issue_mode="throughput", cuda_graph=graph)
    assert runner.slots == 2
    with runner:
        for turn in range(6):
            for slot in (turn % 2, 1 - turn % 2):
                runner.set_inputs(feed(10.0 * turn + slot), slot)
                runner.enqueue(slot)
            for slot in (0, 1):
                runner.synchronize(slot)
                assert runner.get_outputs(slot)["sum"].tolist() == [10.0 * turn + slot + more for more in range(4)]
    assert not binding_of(device).live


def test_in_one_slot_each_step_is_over_before_the_next_is_timed(load: Load, device: Device) -> None:
    _, runner = load(device)
    (stream,) = binding_of(device).streams.values()
    with runner:
        runner.set_inputs(feed(1))
        assert not stream.pending, "the copy of inputs would be timed as computing"
        runner.enqueue()
        assert stream.pending
        runner.synchronize()
        assert not stream.pending
        runner.get_outputs()
        assert not stream.pending


def test_in_two_slots_nothing_but_synchronize_waits(
    load: Load, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: List[str] = []
    _, runner = load(device, issue_mode="throughput")
    for name in ("synchronize_stream", "synchronize_event"):
        kept = getattr(PlainBinding, name)

        def wait(self: PlainBinding, what: Any, name: str = name, kept: Any = kept) -> None:
            waited.append(name)
            kept(self, what)

        monkeypatch.setattr(PlainBinding, name, wait)
    runner.set_inputs(feed(1), 0)
    runner.enqueue(0)
    runner.set_inputs(feed(2), 1)
    runner.enqueue(1)
    assert not waited
    runner.synchronize(0)
    assert waited == ["synchronize_event"]
    runner.get_outputs(0)
    assert waited == ["synchronize_event"]
    runner.close()


def test_inputs_of_another_shape_or_type_are_refused(load: Load, device: Device) -> None:
    _, runner = load(device)
    with runner:
        with pytest.raises(ValueError, match=r"x has the shape \(1,\), the engine takes \(4,\)"):
            runner.set_inputs({"x": numpy.zeros(1, "float32")})
        with pytest.raises(TypeError):
            runner.set_inputs({"x": numpy.zeros(4, "float64")})


def test_managed_memory_in_two_slots_is_refused_where_it_would_end_the_process(load: Load) -> None:
    with plain_device() as device, pytest.raises(Unsupported, match="ends the process on a Jetson"):
        load(device, io_memory="managed", issue_mode="throughput")


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("CUDA Runtime Error: cudaErrorMemoryAllocation (2): out of memory", DeviceError),
        ("Check failed: the argument's shape differs", BuildError),
    ],
)
def test_what_tvm_says_becomes_an_error_of_ours(load: Load, device: Device, words: str, kind: type) -> None:
    tvm, runner = load(device)
    with runner:
        tvm.fail = RuntimeError(words)
        runner.set_inputs(feed(1))
        with pytest.raises(kind):
            runner.enqueue()
