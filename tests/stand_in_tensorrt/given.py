"""Gives the harness's backends a stand-in for the time of a test, and says what its engines answer."""

from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

import numpy
import pytest

import harness.device
from harness import backends
from harness.backends import _contract, _tensorrt_module
from harness.backends._contract import Built, Feed, Materials
from harness.device import Device, Presence
from harness.errors import Unsupported
from harness.records import BuildOptions, InferenceOptions
from tests.stand_in_tensorrt.module import Module
from tests.stand_in_tensorrt.work import PlainWork, Work


def give(monkeypatch: pytest.MonkeyPatch, module: Module, work: Optional[Work]) -> None:
    """`work` None is a machine without a device."""

    def nothing(*_: object) -> None:
        raise Unsupported("the CUDA driver cannot be loaded: libcuda.so.1")

    def opened(*_: object) -> Device:
        assert work is not None
        return work.open()

    monkeypatch.setattr(_tensorrt_module, "load", lambda *names: module)
    monkeypatch.setattr(harness.device, "open_device", opened if work else nothing)
    major, minor = map(int, module._compute.split("."))
    there = Presence("plain memory", (major, minor), "12.6")
    monkeypatch.setattr(harness.device, "present", (lambda *_: there) if work else nothing)


class Given:
    """A backend over a stand-in of one version, and a device of plain memory below it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, version: str, eager: bool = False, **about: Any) -> None:
        self.work = PlainWork(eager)
        self.module = Module(version, self.work, **about)
        give(monkeypatch, self.module, self.work)
        self.name = "tensorrt_rtx" if version == "rtx" else "tensorrt"
        self.backend = backends.get(self.name)

    def build(self, model: Path, folder: Path, **asked: Any) -> Built:
        """`asked` is of Materials where that has it, else of BuildOptions."""
        folder.mkdir(exist_ok=True)
        materials = {name: asked.pop(name) for name in Materials._fields if name in asked}
        options = BuildOptions(model="m", backend=self.name, **asked)
        return self.backend.build(Materials(model, **materials), options, folder)

    def load(self, folder: Path, **asked: Any) -> _contract.Runner:
        return self.backend.load(folder, InferenceOptions(**{"threads": 1, "io_memory": "pinned", **asked}))


def answers(feed: Feed, outputs: Mapping[str, List[int]]) -> Dict[str, numpy.ndarray]:
    """What an engine of the stand-in makes of `feed`: its bytes again and again, in float32 outputs of these shapes."""
    data = b"".join(array.tobytes() for array in feed.values())
    found = {}
    for name, shape in outputs.items():
        nbytes = int(numpy.prod(shape)) * 4
        found[name] = numpy.frombuffer((data * (nbytes // len(data) + 1))[:nbytes], numpy.float32).reshape(shape)
    return found
