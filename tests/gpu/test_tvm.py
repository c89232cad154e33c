"""TVM on a real CUDA device: what it computes, where it reads, on which stream, and whether our clock is its clock.

Everything is built and measured the way `make bench` does it: in processes of their own.
"""

import json
from pathlib import Path
from typing import Dict, Iterator, List

import numpy
import pytest

from harness import backends, upgrades
from harness.backends import _tvm_build, _tvm_cuda, _tvm_target
from harness.backends._contract import Feed
from harness.errors import LaunchError
from harness.host import runs
from harness.host.block import Block
from harness.host.plan import Plan
from harness.host.selfbench import clocks
from harness.host.selfbench.ground import Ground, Place, ground
from harness.records import Engine, InferenceOptions, LatencySamples, Machine, ThroughputSamples
from harness.worker import accuracy, arrays
from harness.worker.measure import iterate, overlap
from harness.worker.pairs import NEVER
from tests.gpu.figures import Figures
from tests.small_bench import measured, request

SMALL, LARGE = "yolov5n@64", "yolov5s@640"
MEMORY = ["pinned", "mapped", "managed"]
TOLERANCE = {"fp32": 1e-3, "fp16": 1e-2}
"""Largest relative RMS against ONNX Runtime."""


@pytest.fixture(scope="session")
def small(place: Place) -> Ground:
    return on_cuda(ground(place, "tvm", SMALL))


@pytest.fixture(scope="session", params=["fp32", "fp16"])
def large(place: Place, request: pytest.FixtureRequest) -> Ground:
    return on_cuda(ground(place, "tvm", LARGE, request.param))


def on_cuda(stand: Ground) -> Ground:
    if stand.experiment.inference.io_memory == "host":
        raise LaunchError(f"TVM reaches no CUDA device here: {stand.ready.engine.variant}")
    return stand


def options(**more: object) -> InferenceOptions:
    return InferenceOptions(**{"threads": 1, "io_memory": "pinned", **more})  # type: ignore[arg-type]


def loaded(stand: Ground, inference: InferenceOptions) -> _tvm_cuda.Runner:
    runner = backends.get("tvm").load(stand.engine_dir, inference)
    assert isinstance(runner, _tvm_cuda.Runner)
    return runner


def values(stand: Ground) -> "tuple[Feed, Feed]":
    return arrays.load(stand.arrays, stand.reference.arrays_sha256)


def run_once(runner: _tvm_cuda.Runner, feed: Feed, slot: int = 0) -> Feed:
    runner.set_inputs(feed, slot)
    runner.enqueue(slot)
    runner.synchronize(slot)
    return {name: array.copy() for name, array in runner.get_outputs(slot).items()}


def test_outputs_are_those_of_onnxruntime(large: Ground, figures: Figures) -> None:
    feed, expected = values(large)
    engine = upgrades.read(large.engine_dir / "engine.json", Engine)
    precision = engine.ingredients.build.precision
    assert set(engine.executed) == {precision}, engine.executed
    with loaded(large, options()) as runner:
        rows = accuracy.compare(run_once(runner, feed), expected)
    assert engine.settings["cuda_kernels"].startswith("compiled by "), engine.settings
    figures.add("tvm " + precision, "engine", f"{engine.variant}, {engine.settings}, built in {engine.build_seconds} s")
    for row in rows:
        what = f"{row.output}: largest difference, relative RMS, cosine"
        figures.add("tvm " + precision, what, [row.max_abs, row.relative_rms, row.cosine])
    accuracy.check(rows, TOLERANCE[precision])


def test_our_device_time_is_tvms_own_within_one_percent(place: Place, figures: Figures) -> None:
    """Interleaved pairs: our events, and `time_evaluator(number=1, repeat=1)`; up to three attempts, all reported."""
    figure = clocks.clock(place, "tvm")
    assert figure.what.startswith("median of our device time over time_evaluator")
    for attempt in figure.attempts:
        figures.add("tvm clock", figure.what, [attempt["median"], attempt["low"], attempt["high"]], "", **attempt)
    assert figure.reached, figure.bar


def test_a_whole_run_in_every_memory_mode_and_graph(
    place: Place, models_dir: Path, figures: Figures, machine: str
) -> None:
    block = Block(
        models=[LARGE],
        backends=["tvm"],
        threads=[1],
        io_memory=MEMORY,
        issue_modes=["latency", "throughput"],
        cuda_graph=[False, True],
    )
    plan = Plan(title="gpu", experiments=[block], rounds=1, warmup=20, iterations=200, max_seconds=60.0)
    folder = measured(request(models_dir, place.results, plan)).folder
    results = [one for one in runs.load_one(folder).results if one.experiment.build.backend == "tvm"]
    assert len(results) == 12
    medians: Dict[str, List[float]] = {}
    for one in results:
        assert one.status == "ok", one.reason
        inference = one.experiment.inference
        graph = "graph" if inference.cuda_graph is True else "no graph"
        key = f"{inference.issue_mode}, {inference.io_memory}, {graph}"
        if isinstance(one.samples, LatencySamples):
            samples = one.samples
            assert samples.device_ns is not None
            columns = (samples.h2d_ns, samples.enqueue_ns, samples.compute_ns, samples.device_ns, samples.d2h_ns)
            medians[key] = [float(numpy.median(column)) / 1e6 for column in columns]
            # The host's clock starts before the device's and ends after it; where it does not, one of them is wrong.
            device, compute = numpy.array(samples.device_ns), numpy.array(samples.compute_ns)
            assert numpy.median(device / compute) > 0.9
            assert (device <= compute).mean() > 0.99
            figures.add("tvm run", key + ": h2d, enqueue, compute, device, d2h", medians[key], "ms")
        else:
            assert isinstance(one.samples, ThroughputSamples)
            rate = one.samples.count / (one.samples.end_ns[-1] / 1e9)
            medians[key] = [1e3 / rate]
            figures.add("tvm run", key + ": one inference each", medians[key], "ms")
    machines = [upgrades.read(path, Machine) for path in folder.glob("*/machine.json")]
    assert [one.cuda_device for one in machines] == [machine]
    plain = medians["latency, pinned, no graph"]
    assert medians["throughput, pinned, no graph"][0] < plain[0] + plain[2] + plain[4], "two slots overlap nothing"


def test_an_engine_says_what_it_is_for_and_the_machine_what_it_has(
    small: Ground, figures: Figures, machine: str
) -> None:
    layout = json.loads((small.engine_dir / "tensors.json").read_text())
    architecture = small.ready.ingredients.architecture
    assert layout["kind"] == "cuda"
    assert architecture.endswith(f" cuda {layout['architecture']}")
    assert small.ready.engine.variant == f"untuned, {layout['architecture']}"
    figures.add("tvm", "architecture in the key", architecture)


@pytest.mark.parametrize("io_memory", MEMORY)
def test_tvm_reads_inputs_where_our_tensors_are(small: Ground, io_memory: str, figures: Figures) -> None:
    feed, expected = values(small)
    with loaded(small, options(io_memory=io_memory)) as runner:
        slot = runner._slots[0]
        found = {
            name: [argument.data_ptr(), tensor.address]
            for (name, tensor), argument in zip(slot.inputs.items(), slot.arguments)
        }
        figures.add("tvm", f"{io_memory}: address TVM reads an input at, address of our tensor", found)
        assert all(theirs == ours for theirs, ours in found.values())
        accuracy.check(accuracy.compare(run_once(runner, feed), expected), TOLERANCE["fp32"])
        # Behind TVM's back: the same arguments, other bytes in our memory. A copy kept anywhere would not notice.
        zeros = {name: numpy.zeros_like(array) for name, array in feed.items()}
        other = run_once(runner, zeros)
        assert all(not numpy.array_equal(other[name], expected[name]) for name in expected)
        again = run_once(runner, feed)
        accuracy.check(accuracy.compare(again, expected), TOLERANCE["fp32"])


def test_work_is_on_our_stream_and_on_no_other(small: Ground) -> None:
    import tvm_ffi

    feed, expected = values(small)
    with loaded(small, options()) as runner:
        told = tvm_ffi.get_raw_stream(runner._gpu)
        assert int(told.value if hasattr(told, "value") else told) == runner._stream.handle
        run_once(runner, {name: numpy.zeros_like(array) for name, array in feed.items()})
        # Captured from our stream, an inference is a graph; what goes to another stream is not in it, and its outputs
        # are never written.
        graph = runner._device.capture(runner._stream, runner.enqueue)
        runner.set_inputs(feed)
        graph.launch(runner._stream)
        runner.synchronize()
        accuracy.check(accuracy.compare(runner.get_outputs(), expected), TOLERANCE["fp32"])
    assert not int(getattr(tvm_ffi.get_raw_stream(runner._gpu), "value", 0) or 0), "closed, our stream is nobody's"


def test_engines_hold_no_cuda_graph_of_tvms_own_whatever_a_process_has_set(small: Ground, tmp_path: Path) -> None:
    import onnx
    import tvm
    from tvm.relax.frontend.onnx import from_onnx

    assert b"cuda_graph" not in (small.engine_dir / "model.so").read_bytes()
    relu = [onnx.helper.make_node("Relu" if i % 2 else "Neg", [f"t{i}"], [f"t{i + 1}"]) for i in range(1, 7)]
    pool = [onnx.helper.make_node("GlobalAveragePool", ["t7"], ["y"]), onnx.helper.make_node("Relu", ["y"], ["z"])]
    matmul = [onnx.helper.make_node("MatMul", ["x", "x"], ["t0"]), onnx.helper.make_node("MatMul", ["t0", "x"], ["t1"])]
    x, z = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 1, *size])
        for name, size in (("x", [8, 8]), ("z", [1, 1]))
    )
    graph = onnx.helper.make_graph([*matmul, *relu, *pool], "chain", [x], [z])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 12)], ir_version=7)
    module, target = from_onnx(model), _tvm_target.target(None)
    with tvm.transform.PassContext(config={"relax.backend.use_cuda_graph": True}):
        _tvm_build._compile(module, target, tmp_path / "ours.so", "default")
        tvm.compile(module, target=target.tvm).export_library(str(tmp_path / "theirs.so"))
    assert b"cuda_graph" in (tmp_path / "theirs.so").read_bytes(), "this test looks for the wrong word"
    assert b"cuda_graph" not in (tmp_path / "ours.so").read_bytes()


@pytest.mark.parametrize("io_memory", MEMORY)
def test_a_graph_computes_the_same(small: Ground, io_memory: str) -> None:
    feed, expected = values(small)
    with loaded(small, options(io_memory=io_memory, cuda_graph=True)) as runner:
        assert runner.evaluator() is None
        for factor in (1.0, 0.5, 1.0):
            outputs = run_once(runner, {name: array * numpy.float32(factor) for name, array in feed.items()})
            near = max(row.relative_rms for row in accuracy.compare(outputs, expected))
            assert (near < TOLERANCE["fp32"]) is (factor == 1.0)


@pytest.mark.parametrize("graph", [False, True])
def test_two_slots_in_flight_keep_their_own_values(small: Ground, graph: bool) -> None:
    feed, expected = values(small)
    half = {name: array * numpy.float32(0.5) for name, array in feed.items()}
    with loaded(small, options()) as runner:
        expected_half = run_once(runner, half)
    with loaded(small, options(issue_mode="throughput", cuda_graph=graph)) as runner:
        for turn in range(50):
            for slot, given in ((0, feed), (1, half)) if turn % 2 else ((1, half), (0, feed)):
                runner.set_inputs(given, slot)
                runner.enqueue(slot)
            for slot, right in ((0, expected), (1, expected_half)):
                runner.synchronize(slot)
                accuracy.check(accuracy.compare(runner.get_outputs(slot), right), TOLERANCE["fp32"])


def test_nothing_is_left_behind_after_ten_thousand_inferences(small: Ground, figures: Figures) -> None:
    feed, _ = values(small)
    with loaded(small, options()) as runner:
        iterate(runner, feed, 1000, NEVER, _ticks().__next__)
        before = runner._device.free_bytes()
        iterate(runner, feed, 10_000, NEVER, _ticks().__next__)
        lost = before - runner._device.free_bytes()
        iterations = {"device memory lost over 10,000 inferences": lost}
    with loaded(small, options(issue_mode="throughput")) as runner:
        overlap(runner, feed, 2, 1000, NEVER, _ticks().__next__)
        before = runner._device.free_bytes()
        overlap(runner, feed, 2, 10_000, NEVER, _ticks().__next__)
        iterations["and in two slots"] = before - runner._device.free_bytes()
    for what, value in iterations.items():
        figures.add("tvm", what, value, "B")
    assert not any(iterations.values())


def _ticks() -> Iterator[int]:
    now = 0
    while True:
        now += 1
        yield now
