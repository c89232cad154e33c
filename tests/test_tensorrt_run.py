"""The TensorRT backend's run path over the strict stand-in: every version, memory, issue mode, early and late work."""

from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import numpy
import pytest

from harness.backends._contract import Runner
from harness.errors import Unsupported
from harness.records import InferenceOptions
from harness.worker.measure import measure
from tests.plain_device import STEP_MS
from tests.stand_in_tensorrt import VERSIONS, PlainWork, Violation, models
from tests.stand_in_tensorrt.given import Given, answers

OUTPUTS = {"features": [1, 4, 8, 8], "score": [1, 4, 1, 1]}
BEFORE_8_6 = ("8.4", "8.5")


def feed(turn: int = 0) -> Dict[str, numpy.ndarray]:
    return {"images": (numpy.arange(192, dtype=numpy.float32) + 1000 * turn).reshape(1, 3, 8, 8)}


def check(outputs: Dict[str, numpy.ndarray], turn: int = 0) -> None:
    for name, array in answers(feed(turn), OUTPUTS).items():
        numpy.testing.assert_array_equal(outputs[name], array)


def turns(runner: Runner, slots: int) -> None:
    """Every slot several times, overlapping as they are measured."""
    assert runner.slots == slots
    held: Dict[int, List[int]] = {}
    for turn in range(3 * slots):
        slot = turn % slots
        if turn >= slots:
            runner.synchronize(slot)
            outputs = runner.get_outputs(slot)
            check(outputs, turn - slots)
            assert held.setdefault(slot, [id(one) for one in outputs.values()]) == [id(one) for one in outputs.values()]
        runner.set_inputs(feed(turn), slot)
        runner.enqueue(slot)
    for turn in range(2 * slots, 3 * slots):
        runner.synchronize(turn % slots)
        check(runner.get_outputs(turn % slots), turn)


@pytest.mark.parametrize("eager", [False, True], ids=["late", "early"])
@pytest.mark.parametrize("issue_mode", ["latency", "throughput"])
@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_runs_and_leaves_nothing_behind(
    version: str, issue_mode: str, eager: bool, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Given(monkeypatch, version, eager)
    given.build(tiny_model, tmp_path / "engine")
    with given.load(tmp_path / "engine", issue_mode=issue_mode) as runner:
        turns(runner, 2 if issue_mode == "throughput" else 1)
        assert len(given.module._contexts) == (2 if issue_mode == "throughput" else 1), "one context a slot"
    binding = given.work.binding
    assert not binding.live and not binding.streams and not binding.events and binding.closed


@pytest.mark.parametrize("eager", [False, True], ids=["late", "early"])
@pytest.mark.parametrize("issue_mode", ["latency", "throughput"])
@pytest.mark.parametrize("io_memory", ["pinned", "mapped", "managed"])
@pytest.mark.parametrize("version", ["8.4", "10.3"])
@pytest.mark.parametrize("cuda_graph", [False, True], ids=["plain", "graph"])
def test_inputs_and_outputs_in_each_memory_with_and_without_a_graph(
    version: str,
    io_memory: str,
    issue_mode: str,
    cuda_graph: bool,
    eager: bool,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = Given(monkeypatch, version, eager)
    given.build(tiny_model, tmp_path / "engine")
    graph: Dict[str, Any] = {"cuda_graph": True} if cuda_graph else {}
    with given.load(tmp_path / "engine", io_memory=io_memory, issue_mode=issue_mode, **graph) as runner:
        turns(runner, 2 if issue_mode == "throughput" else 1)
        assert given.work.binding.graphs == (runner.slots if cuda_graph else 0)
    assert not given.work.binding.graphs


def test_with_one_slot_each_step_is_over_when_its_call_returns(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the time of a step would be counted to the next one."""
    given = Given(monkeypatch, "10.3")
    given.build(tiny_model, tmp_path / "engine")
    with given.load(tmp_path / "engine") as runner:
        (stream,) = given.work.binding.streams.values()
        runner.set_inputs(feed())
        assert not stream.pending, "the inputs are not there yet"
        runner.enqueue()
        assert len(stream.pending) == 1, "an inference alone is issued, no copies"
        runner.synchronize()
        assert not stream.pending, "it was not waited for"
        check(runner.get_outputs())
        assert not stream.pending


def test_with_two_slots_nothing_waits_but_synchronize(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Given(monkeypatch, "10.3")
    given.build(tiny_model, tmp_path / "engine")
    with given.load(tmp_path / "engine", issue_mode="throughput") as runner:
        first, second = given.work.binding.streams.values()
        runner.set_inputs(feed(0), 0)
        runner.enqueue(0)
        runner.set_inputs(feed(1), 1)
        runner.enqueue(1)
        assert len(first.pending) == len(second.pending) == 4, "a copy, an inference, two copies back"
        runner.synchronize(0)
        assert not first.pending and len(second.pending) == 4
        check(runner.get_outputs(0), 0)
        runner.synchronize(1)
        check(runner.get_outputs(1), 1)


def test_the_timer_times_the_inference_alone_on_the_runners_own_stream(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Given(monkeypatch, "8.5")
    given.build(tiny_model, tmp_path / "engine")
    with given.load(tmp_path / "engine") as runner:
        found = measure(runner, feed(), InferenceOptions(threads=1, warmup=2, iterations=10))
        # The clock of plain memory ticks once for each piece of work: from the start's event to the stop's, an
        # inference and the stop itself.
        assert set(found.samples.device_ns) == {round(2 * STEP_MS * 1e6)}  # type: ignore[union-attr, arg-type]
        bare = runner.bare()
        assert bare is not None
        bare()


@pytest.mark.parametrize("version", ["8.4", "8.5", "8.6", "10.3", "11"])
def test_a_dynamic_batch_runs_at_the_profiles_usual_shape(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Given(monkeypatch, version)
    given.build(models.dynamic(tmp_path), tmp_path / "engine", options={"profile": "x=1x4:2x4:8x4"})
    values = {"x": numpy.arange(8, dtype=numpy.float32).reshape(2, 4)}
    with given.load(tmp_path / "engine") as runner:
        runner.set_inputs(values)
        runner.enqueue()
        runner.synchronize()
        numpy.testing.assert_array_equal(runner.get_outputs()["y"], values["x"])
    if version in BEFORE_8_6:
        with pytest.raises(Unsupported, match="in one slot only"):
            given.load(tmp_path / "engine", issue_mode="throughput")
    else:
        given.load(tmp_path / "engine", issue_mode="throughput").close()
    assert not given.work.binding.live, "a load that fails leaves nothing"


@pytest.fixture
def engine(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tuple[Given, Path]]:
    given = Given(monkeypatch, "8.6")
    given.build(tiny_model, tmp_path / "engine")
    yield given, tmp_path / "engine"
    assert not given.work.binding.live and not given.work.binding.streams, "a load that failed left something behind"


def test_inputs_of_another_type_or_name_are_refused_not_converted(engine: Tuple[Given, Path]) -> None:
    given, folder = engine
    with given.load(folder) as runner:
        with pytest.raises(TypeError):
            runner.set_inputs({"images": feed()["images"].astype(numpy.float64)})
        with pytest.raises(KeyError):
            runner.set_inputs({"features": numpy.zeros((1, 4, 8, 8), numpy.float32)})


def test_an_engine_that_a_graph_cannot_hold_is_skipped(
    engine: Tuple[Given, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    given, folder = engine
    issue: Any = PlainWork.issue

    def allocates(self: PlainWork, handle: int, copies: Any, done: Any) -> None:
        if self.capturing(handle):
            self.binding.allocate("device", 64)
        issue(self, handle, copies, done)

    monkeypatch.setattr(PlainWork, "issue", allocates)
    with pytest.raises(Unsupported, match=r"cannot be captured into a CUDA graph: .*CUDA_ERROR_STREAM_CAPTURE"):
        given.load(folder, cuda_graph=True)


def test_the_stand_in_objects_to_who_misuses_it(engine: Tuple[Given, Path]) -> None:
    """Rules that no part of the backend can break are broken here by hand, so that they are known to hold."""
    given, folder = engine
    runner: Any = given.load(folder)
    slot = runner._slots[0]
    with pytest.raises(Violation, match="not put on the default stream"):
        slot.context.execute_async_v3(0)
    with pytest.raises(Violation, match="aligned to 256 bytes"):
        slot.context.set_tensor_address("images", slot.addresses[0] + 4)
    with pytest.raises(Violation, match="in the order of their numbers"):
        slot.context.execute_v2(slot.addresses[:1])
    other: Optional[Any] = given.work.open()
    assert other is not None
    slot.context.execute_async_v3(slot.stream.handle)
    with pytest.raises(Violation, match="two streams at a time"):
        slot.context.execute_async_v3(other.stream().handle)
    runner.close()
    other.close()
