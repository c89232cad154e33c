"""Mistakes that a run path for TensorRT can have, made on purpose: each must be found.

The backend's sources are changed in memory, one place at a time, as `stand_in_tensorrt/mutations.toml` says; the same
course without a change must pass.
"""

import functools
import importlib.util
import itertools
import re
import sys
from pathlib import Path
from types import CodeType
from typing import NamedTuple

import numpy
import pytest
from msgspec import UNSET

import harness.backends
from harness.errors import DeviceError
from harness.host import toml
from harness.records import InferenceOptions
from harness.worker.measure import measure
from tests import stand_in_tensorrt
from tests.plain_device import STEP_MS
from tests.stand_in_tensorrt import models
from tests.stand_in_tensorrt.given import Given
from tests.test_tensorrt_run import feed, turns

FOLDER, ROOT = Path(harness.backends.__file__).parent, Path(stand_in_tensorrt.__file__).parent
CHAIN = (
    "_tensorrt_tensors",
    "_tensorrt_samples",
    "_tensorrt_calibration",
    "_tensorrt_load",
    "_tensorrt_run",
    "_tensorrt_build",
    "tensorrt",
)
"""Modules that are loaded anew with the change in one of them, each after those that it imports."""


class Mutation(NamedTuple):
    name: str
    module: str
    before: str
    after: str
    found: str
    """Of the error that it must end in, the type or a part of its words."""


MUTATIONS = [Mutation(**one) for one in toml.load(ROOT / "mutations.toml")["mutations"]]


def mutate(monkeypatch: pytest.MonkeyPatch, module: str, before: str, after: str) -> None:
    for name in CHAIN:
        source = (FOLDER / f"{name}.py").read_text()
        if name == module:
            assert source.count(before) == 1, f"{before!r} is {source.count(before)} times in {name}.py"
            source = source.replace(before, after)
        code = compiled(name, source)
        spec = importlib.util.spec_from_loader(f"harness.backends.{name}", None, origin=str(FOLDER / f"{name}.py"))
        assert spec is not None
        made = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, f"harness.backends.{name}", made)
        monkeypatch.setattr(harness.backends, name, made, raising=False)
        exec(code, made.__dict__)


@functools.lru_cache(maxsize=None)
def compiled(name: str, source: str) -> CodeType:
    """Once for every mistake in other modules: most of the time would go here."""
    code: CodeType = compile(source, f"{name}.py", "exec")
    return code


def course(monkeypatch: pytest.MonkeyPatch, tiny_model: Path, folder: Path) -> None:
    """All that the run path does, once."""
    for number, (version, eager) in enumerate([("8.4", False), ("8.5", True), ("10.3", False), ("10.3", True)]):
        given, engine = Given(monkeypatch, version, eager), folder / f"engine-{number}"
        given.build(tiny_model, engine)
        for issue_mode, graph in itertools.product(("latency", "throughput"), (UNSET, True)):
            with given.load(engine, issue_mode=issue_mode, cuda_graph=graph) as runner:
                turns(runner, runner.slots)
            assert not given.work.binding.live, "something was left behind"
        one_step_at_a_time(given, engine)
        overlapping(given, engine)
    dynamic(monkeypatch, folder)
    int8(monkeypatch, tiny_model, folder)
    dla = Given(monkeypatch, "8.5", dla_cores=2)
    dla.build(tiny_model, folder / "dla", precision="fp16", options={"dla_core": 1})
    dla.load(folder / "dla").close()


def one_step_at_a_time(given: Given, engine: Path) -> None:
    with given.load(engine) as runner:
        stream = next(iter(given.work.binding.streams.values()))
        runner.set_inputs(feed())
        assert not stream.pending, "the inputs are not there yet"
        runner.enqueue()
        runner.synchronize()
        assert not stream.pending, "the inference is not over yet"
        found = measure(runner, feed(), InferenceOptions(threads=1, warmup=2, iterations=10))
        assert set(found.samples.device_ns) == {round(2 * STEP_MS * 1e6)}  # type: ignore[union-attr, arg-type]
        (context,) = given.module._contexts[-1:]
        context._enqueue = lambda addresses, handle: False
        with pytest.raises(DeviceError):
            runner.enqueue()


def overlapping(given: Given, engine: Path) -> None:
    with given.load(engine, issue_mode="throughput") as runner:
        runner.set_inputs(feed(0), 0)
        runner.enqueue(0)
        runner.set_inputs(feed(1), 1)
        waiting = [bool(stream.pending) for stream in list(given.work.binding.streams.values())[:2]]
        late = type(given.work.binding).__name__ == "PlainBinding"
        assert not late or waiting == [True, True], "two inferences do not overlap"


def dynamic(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    for version in ("8.4", "8.5", "10.3"):
        given = Given(monkeypatch, version)
        given.build(models.dynamic(folder), folder / version, options={"profile": "x=1x4:2x4:8x4"})
        values = {"x": numpy.arange(8, dtype=numpy.float32).reshape(2, 4)}
        with given.load(folder / version) as runner:
            runner.set_inputs(values)
            runner.enqueue()
            runner.synchronize()
            numpy.testing.assert_array_equal(runner.get_outputs()["y"], values["x"])
        if version != "10.3":
            with pytest.raises(Exception, match="in one slot only"):
                given.load(folder / version, issue_mode="throughput")


def int8(monkeypatch: pytest.MonkeyPatch, tiny_model: Path, folder: Path) -> None:
    given, path = Given(monkeypatch, "8.5"), models.calibration(folder)
    given.build(tiny_model, folder / "int8", precision="int8", calibration=path)
    images = numpy.load(str(path))["images"]
    shown = [numpy.frombuffer(batch["images"], numpy.float32).reshape(3, 8, 8) for batch in given.module._calibrated]
    numpy.testing.assert_array_equal(shown, images)
    given = Given(monkeypatch, "8.5")
    given.work.binding.total_bytes = 100
    with pytest.raises(DeviceError):
        given.build(tiny_model, folder / "int8-without-memory", precision="int8", calibration=path)


def test_the_course_passes_without_a_change(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mutate(monkeypatch, "", "", "")
    course(monkeypatch, tiny_model, tmp_path)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_a_mistake_is_found(
    mutation: Mutation, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(monkeypatch, mutation.module, mutation.before, mutation.after)
    with pytest.raises(BaseException) as caught:
        course(monkeypatch, tiny_model, tmp_path)
    said = f"{type(caught.value).__name__}: {caught.value}"
    assert not isinstance(caught.value, (NameError, AttributeError, SyntaxError)), (
        f"the mutation itself is wrong: {said}"
    )
    assert re.search(mutation.found, said, re.IGNORECASE), said


def test_mutations_have_names_of_their_own_and_say_how_they_are_found() -> None:
    assert len({one.name for one in MUTATIONS}) == len(MUTATIONS) > 30
    assert all(one.found for one in MUTATIONS)
