"""Runs a TVM engine on a CUDA device, on a stream of ours and with inputs in memory of ours.

TVM launches on the stream that its thread is told (`Generation.on_stream`), and so do its own timers. Inputs are our
tensors, wrapped in place. Outputs are TVM's: its virtual machine takes them from its pool in each inference, and they
are copied into pinned buffers made at load, whatever memory the inputs lie in.

That pool knows no streams: what one inference has given back, the next takes, though the first may still run. So all
inferences share one stream, also in two slots; then copies have streams of their own, and overlap with computing.
"""

import threading
from pathlib import Path
from typing import Any, Callable, ContextManager, Dict, List, Optional

import numpy

from harness.backends import _contract
from harness.backends._contract import Feed
from harness.backends._tvm_build import first_line
from harness.backends._tvm_generation import Generation
from harness.device import Buffer, Device, Graph, Span, Stream, Tensor, Timer, device_error_in
from harness.errors import BuildError, DeviceError, HarnessError, Unsupported
from harness.records import InferenceOptions


class Slot:
    """One inference's own memory."""

    def __init__(
        self, generation: Generation, device: Device, layout: Dict[str, Any], io_memory: str, owner: Optional[Stream]
    ) -> None:
        self._address = generation.address
        self.inputs = {t["name"]: Tensor(device, io_memory, t["shape"], t["dtype"], owner) for t in layout["inputs"]}
        self.arguments = tuple(generation.shared(tensor) for tensor in self.inputs.values())
        self.result: Any = None
        self.pinned: List[Buffer] = []
        self.outputs: Feed = {}
        for t in layout["outputs"]:
            dtype, shape = numpy.dtype(t["dtype"]), tuple(t["shape"])
            buffer = device.buffer("pinned", int(numpy.prod(shape, dtype=numpy.int64)) * dtype.itemsize)
            self.pinned.append(buffer)
            self.outputs[t["name"]] = buffer.view(shape, dtype)
        self.arrived, self.computed, self.fetched = device.event(), device.event(), device.event()
        self.graph: Optional[Graph] = None

    def results(self) -> List[Span]:
        # A graph with one output returns a tensor, one with several an array of them.
        tensors = (self.result,) if len(self.pinned) == 1 else self.result
        return [Span(self._address(tensor), buffer.nbytes) for tensor, buffer in zip(tensors, self.pinned)]


class Told(threading.local):
    """Whose stream TVM launches on, in each thread: TVM knows one, however many engines are loaded. An engine is closed
    in the thread that runs it."""

    runner: Optional["Runner"] = None
    context: Optional[ContextManager[Any]] = None

    def enter(self, runner: "Runner", generation: Generation, gpu: Any, handle: int) -> None:
        self.leave(self.runner)
        told = generation.on_stream(gpu, handle)
        told.__enter__()
        self.runner, self.context = runner, told

    def leave(self, runner: Optional["Runner"]) -> None:
        """Back to the default stream, if it is that runner whose stream it is."""
        if self.context is not None and self.runner is runner:
            self.context.__exit__(None, None, None)
            self.runner = self.context = None


_TOLD = Told()


class Runner(_contract.Runner):
    """With one slot, each step ends before the next begins; with two, all is issued and only `synchronize` waits."""

    def __init__(
        self,
        tvm: Any,
        generation: Generation,
        library: Path,
        layout: Dict[str, Any],
        inference: InferenceOptions,
        device: Device,
    ) -> None:
        if inference.slots > 1 and inference.io_memory == "managed" and device.integrated:
            raise Unsupported(
                "tvm: in two slots the host would touch managed memory while kernels of the other run, which ends "
                "the process on a Jetson: take pinned or mapped I/O memory"
            )
        self._device, self.slots = device, inference.slots
        self._stream = stream = device.stream()
        self._timer = Timer(device, stream)
        self._up, self._down = (stream, stream) if self.slots == 1 else (device.stream(), device.stream())
        self._gpu = tvm.cuda(device.index)
        self._generation = generation
        try:
            self._tell()
            self._machine = tvm.relax.VirtualMachine(tvm.runtime.load_module(str(library)), self._gpu)
            self._gpu.sync()  # weights are copied on the default stream, for which ours does not wait
            self._main = self._machine["main"]
            owner = stream if self.slots == 1 else None
            self._slots = [Slot(generation, device, layout, inference.io_memory, owner) for _ in range(self.slots)]
            for slot in range(self.slots):
                self._first(slot)
                if inference.cuda_graph is True:
                    self._slots[slot].graph = self._captured(self._slots[slot])
        except Exception as error:
            _TOLD.leave(self)
            raise said(error) from error

    def _tell(self) -> None:
        if _TOLD.runner is not self:
            _TOLD.enter(self, self._generation, self._gpu, self._stream.handle)

    def _first(self, slot: int) -> None:
        """Kernels are loaded, and the pool is filled, by the first inferences; their inputs are zeros."""
        for tensor in self._slots[slot].inputs.values():
            tensor.host[...] = numpy.zeros((), tensor.dtype)
            tensor.to_device(self._up)
        self._up.synchronize()
        for _ in range(2):
            self._slots[slot].result = self._main(*self._slots[slot].arguments)
            self._stream.synchronize()

    def _captured(self, chosen: Slot) -> Graph:
        """One inference as a graph. Its result is kept, so that the pool gives that memory to nobody else; what it used
        meanwhile may be another graph's too, which runs on the same stream."""

        def issue() -> None:
            chosen.result = self._main(*chosen.arguments)

        try:
            return self._device.capture(self._stream, issue)
        except Exception as error:
            raise Unsupported(f"tvm: this engine cannot be captured into a CUDA graph: {first_line(error)}") from error

    def set_inputs(self, feed: Feed, slot: int = 0) -> None:
        chosen = self._slots[slot]
        for name, array in feed.items():
            tensor = chosen.inputs[name]
            if array.shape != tensor.shape:
                raise ValueError(f"{name} has the shape {array.shape}, the engine takes {tensor.shape}")
            numpy.copyto(tensor.host, array, casting="no")
            tensor.to_device(self._up)
        if self.slots == 1:
            self._up.synchronize()
        else:
            chosen.arrived.record(self._up)

    def enqueue(self, slot: int = 0) -> None:
        chosen = self._slots[slot]
        if self.slots > 1:
            self._stream.wait(chosen.arrived)
        if chosen.graph is not None:
            chosen.graph.launch(self._stream)
        else:
            self._tell()
            try:
                chosen.result = self._main(*chosen.arguments)
            except Exception as error:
                raise said(error) from error
        if self.slots > 1:
            chosen.computed.record(self._stream)
            self._down.wait(chosen.computed)
            self._fetch(chosen)
            chosen.fetched.record(self._down)

    def synchronize(self, slot: int = 0) -> None:
        if self.slots == 1:
            self._stream.synchronize()
        else:
            self._slots[slot].fetched.synchronize()

    def get_outputs(self, slot: int = 0) -> Feed:
        chosen = self._slots[slot]
        if self.slots == 1:
            self._fetch(chosen)
            self._down.synchronize()
        return chosen.outputs

    def _fetch(self, chosen: Slot) -> None:
        for buffer, result in zip(chosen.pinned, chosen.results()):
            self._device.copy_to_host(buffer, result, self._down)

    def device_timer(self, slot: int = 0) -> Timer:
        return self._timer

    def evaluator(self) -> Optional[Callable[[], int]]:
        """TVM's `time_evaluator(number=1, repeat=1)`, by CUDA events on the same stream; one untimed call first."""
        if self._slots[0].graph is not None:
            return None  # it would time the same kernels one by one
        timed = self._machine.time_evaluator("main", self._gpu, number=1, repeat=1)

        def once() -> int:
            self._tell()
            return round(float(timed(*self._slots[0].arguments).mean) * 1e9)

        return once

    def close(self) -> None:
        _TOLD.leave(self)
        for slot in self._slots:  # what TVM holds of our memory goes before that memory
            slot.arguments, slot.result = (), None
        self._main = self._machine = None
        self._device.close()


def said(error: Exception) -> HarnessError:
    """What TVM said, as an error of ours."""
    if isinstance(error, HarnessError):
        return error
    found: Optional[DeviceError] = device_error_in(str(error), "tvm")
    return found or BuildError(f"tvm cannot run this engine: {type(error).__name__}: {first_line(error)}")
