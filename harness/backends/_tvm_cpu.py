"""Runs a TVM engine on the CPU."""

from pathlib import Path
from typing import Any, Callable, Dict

import numpy

from harness.backends import _contract
from harness.backends._contract import Feed
from harness.backends._tvm_generation import Generation


class Runner(_contract.Runner):
    """Inputs live in TVM tensors made at load; outputs are TVM's own, copied into buffers made at load."""

    def __init__(self, tvm: Any, generation: Generation, library: Path, layout: Dict[str, Any]) -> None:
        self._device = device = tvm.cpu(0)
        self._machine = tvm.relax.VirtualMachine(tvm.runtime.load_module(str(library)), device)
        self._main = self._machine["main"]
        self._inputs = {t["name"]: generation.empty(tuple(t["shape"]), t["dtype"], device) for t in layout["inputs"]}
        self._arguments = tuple(self._inputs.values())
        self._targets = [generation.empty(tuple(t["shape"]), t["dtype"], device) for t in layout["outputs"]]
        names = [tensor["name"] for tensor in layout["outputs"]]
        self._outputs = {name: numpy.from_dlpack(target) for name, target in zip(names, self._targets)}
        self._result: Any = None

    def set_inputs(self, feed: Feed, slot: int = 0) -> None:
        for name, array in feed.items():
            self._inputs[name].copyfrom(array)

    def enqueue(self, slot: int = 0) -> None:
        self._result = self._main(*self._arguments)

    def synchronize(self, slot: int = 0) -> None:
        pass  # TVM's CPU functions return when they are done

    def get_outputs(self, slot: int = 0) -> Feed:
        # A graph with one output returns a tensor, one with several an array of them.
        results = (self._result,) if len(self._targets) == 1 else self._result
        for target, result in zip(self._targets, results):
            result.copyto(target)
        return self._outputs

    def evaluator(self) -> Callable[[], int]:
        """TVM's `time_evaluator(number=1, repeat=1)`; it makes one untimed call first."""
        timed = self._machine.time_evaluator("main", self._device, number=1, repeat=1)
        return lambda: round(timed(*self._arguments).mean * 1e9)

    def close(self) -> None:
        self._result = None
