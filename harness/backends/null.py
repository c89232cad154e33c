"""The backend that does nothing: what remains is the harness's own floor, a row of every report."""

import json
from pathlib import Path

import numpy

from harness.backends import _contract
from harness.backends._contract import Built, Feed, Materials
from harness.records import BuildOptions, InferenceOptions


class Runner(_contract.Runner):
    slots = 2  # nothing is ever in flight, so that what throughput adds shows alone

    def __init__(self) -> None:
        self._outputs: Feed = {"nothing": numpy.zeros(1, numpy.float32)}

    def set_inputs(self, feed: Feed, slot: int = 0) -> None:
        pass

    def enqueue(self, slot: int = 0) -> None:
        pass

    def synchronize(self, slot: int = 0) -> None:
        pass

    def get_outputs(self, slot: int = 0) -> Feed:
        return self._outputs


class Backend(_contract.Backend):
    precisions = frozenset({"fp32", "tf32", "fp16", "int8"})
    computes = False

    def version(self) -> str:
        return "1"

    def architecture(self) -> str:
        return "any"

    def build(self, materials: Materials, options: BuildOptions, engine_dir: Path) -> Built:
        (engine_dir / "nothing.json").write_text(json.dumps({"engine": "none: nothing is computed"}))
        return Built(executed={})

    def load(self, engine_dir: Path, inference: InferenceOptions) -> Runner:
        return Runner()
