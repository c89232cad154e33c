"""Runs an engine: for each slot one execution context, one stream, and inputs and outputs that stay where they are."""

import functools
from typing import Any, Callable, List, Optional

import numpy

from harness.backends import _contract
from harness.backends._contract import Feed
from harness.backends._tensorrt_messages import Messages
from harness.backends._tensorrt_tensors import Port, by_name, ports
from harness.device import Device, Graph, Tensor, Timer
from harness.errors import DeviceError, Unsupported
from harness.records import InferenceOptions


class Slot:
    """What one inference in flight needs; nothing of it is shared with another."""

    def __init__(self, trt: Any, engine: Any, device: Device, io_memory: str, said: Messages) -> None:
        self.stream = device.stream()
        self.context = engine.create_execution_context()
        if self.context is None:
            raise said.refused("make an execution context")
        if getattr(self.context, "active_optimization_profile", 0) < 0:
            # Versions before 8.6 give a profile to one context alone.
            raise Unsupported("this TensorRT runs a model with dynamic shapes in one slot only: fix its shapes")
        found = ports(trt, engine, self.context)
        self.tensors = {port.name: Tensor(device, io_memory, port.shape, port.dtype, self.stream) for port in found}
        self.inputs = {port.name: self.tensors[port.name] for port in found if port.is_input}
        self.results = {port.name: self.tensors[port.name] for port in found if not port.is_input}
        self.outputs: Feed = {name: tensor.host for name, tensor in self.results.items()}
        self.timer = Timer(device, self.stream)
        self.addresses = [self.tensors[port.name].address for port in found]
        self._said = said
        # Bound once: what is looked up at every inference would be timed with it.
        if by_name(engine):
            self._bind(found)
            self._enqueue = functools.partial(self.context.execute_async_v3, self.stream.handle)
        else:
            self._enqueue = functools.partial(self.context.execute_async_v2, self.addresses, self.stream.handle)
        for tensor in self.inputs.values():  # what was in memory before may be anything, indices out of bounds too
            tensor.host[...] = numpy.zeros((), tensor.dtype)
            tensor.to_device(self.stream)
        self.stream.synchronize()

    def _bind(self, found: List[Port]) -> None:
        for port in found:
            if not self.context.set_tensor_address(port.name, self.tensors[port.name].address):
                raise self._said.refused(f"take the address of {port.name}")

    def execute(self) -> None:
        """Issues one inference onto the stream."""
        if not self._enqueue():
            raise self._said.refused("start an inference")

    def execute_and_wait(self) -> None:
        """By the plainest call there is, on the default stream."""
        if not self.context.execute_v2(self.addresses):
            raise self._said.refused("run an inference")

    def fetch(self) -> None:
        """Issues the copies of all outputs to the host."""
        for tensor in self.results.values():
            tensor.to_host(self.stream)


class Runner(_contract.Runner):
    """With one slot, each step ends before the next begins, so that each has a time of its own. With two, copies are
    issued along with the inference, and only `synchronize` waits: that is what lets two inferences overlap."""

    def __init__(self, trt: Any, engine: Any, device: Device, inference: InferenceOptions, said: Messages) -> None:
        self._device, self._engine, self.slots = device, engine, inference.slots
        self._slots = [Slot(trt, engine, device, inference.io_memory, said) for _ in range(inference.slots)]
        self._alone = self.slots == 1
        self._issue: List[Callable[[], None]] = [slot.execute for slot in self._slots]
        if inference.cuda_graph is True:
            self._issue = [_launching(device, slot) for slot in self._slots]

    def set_inputs(self, feed: Feed, slot: int = 0) -> None:
        chosen = self._slots[slot]
        for name, array in feed.items():
            tensor = chosen.inputs[name]
            numpy.copyto(tensor.host, array, casting="no")
            tensor.to_device(chosen.stream)
        if self._alone:
            chosen.stream.synchronize()

    def enqueue(self, slot: int = 0) -> None:
        self._issue[slot]()
        if not self._alone:
            self._slots[slot].fetch()

    def synchronize(self, slot: int = 0) -> None:
        self._slots[slot].stream.synchronize()

    def get_outputs(self, slot: int = 0) -> Feed:
        chosen = self._slots[slot]
        if self._alone:
            chosen.fetch()
            chosen.stream.synchronize()
        return chosen.outputs

    def device_timer(self, slot: int = 0) -> Optional[_contract.Timer]:
        return self._slots[slot].timer

    def bare(self) -> Callable[[], None]:
        return self._slots[0].execute_and_wait

    def close(self) -> None:
        self._issue = []
        self._slots = []  # contexts go before the engine that they are of, and both before the device
        self._engine = None
        self._device.close()


def _launching(device: Device, slot: Slot) -> Callable[[], None]:
    """Captures one inference after a first one, in which TensorRT makes what a graph may not hold."""
    slot.execute()
    slot.stream.synchronize()
    try:
        graph: Graph = device.capture(slot.stream, slot.execute)
    except DeviceError as error:
        if "CAPTURE" in error.name:
            raise Unsupported(f"this engine cannot be captured into a CUDA graph: {error}") from error
        raise
    return lambda: graph.launch(slot.stream)
