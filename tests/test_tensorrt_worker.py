"""The worker's verbs over the stand-in: what a cell of TensorRT leaves in its engine's record and in its result."""

from pathlib import Path
from typing import Any, Dict, Iterator, NamedTuple

import msgspec
import numpy
import onnx
import pytest
from onnx import TensorProto, helper

from harness.device._words import device_error
from harness.jobs import BenchJob, BuildJob
from harness.records import (
    BuildOptions,
    Engine,
    Experiment,
    InferenceOptions,
    Ingredients,
    LatencySamples,
    Reference,
    Result,
    ThroughputSamples,
)
from harness.worker import arrays
from harness.worker import bench as benching
from harness.worker import build as building
from tests.stand_in_tensorrt import Module
from tests.stand_in_tensorrt.given import Given, give


class Cell(NamedTuple):
    given: Given
    engine: Engine
    job: BenchJob


@pytest.fixture
def cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cell]:
    """Of a model whose outputs are its inputs, which is what the stand-in computes of any."""
    monkeypatch.setenv("HARNESS_L4T", "35.4.1")
    given = Given(monkeypatch, "8.5")
    model = identity(tmp_path)
    options = BuildOptions(model="identity", backend="tensorrt", precision="fp16")
    made_of = Ingredients(
        build=options, model_sha256="m" * 64, version=given.backend.version(), architecture=given.backend.architecture()
    )
    folder = tmp_path / "engine"
    engine = building.build(BuildJob(ingredients=made_of, model=str(model), engine_dir=str(folder)))
    values = numpy.arange(64, dtype=numpy.float32).reshape(1, 64)
    sha256 = arrays.save(tmp_path / "arrays.npz", {"x": values}, {"y": values})
    job = BenchJob(
        experiment=Experiment(
            build=options, inference=InferenceOptions(threads=1, warmup=2, iterations=10, io_memory="pinned")
        ),
        round=1,
        engine_dir=str(folder),
        ingredients=made_of,
        arrays=str(tmp_path / "arrays.npz"),
        reference=Reference(
            key="r", model_sha256="m" * 64, seed=1, version="1", arrays_sha256=sha256, inputs=["x"], outputs=["y"]
        ),
        tolerance=1e-6,
    )
    yield Cell(given, engine, job)
    assert not given.work.binding.live and not given.work.binding.streams, "a cell left something on the device"


def identity(folder: Path) -> Path:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 64]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "identity", ends[:1], ends[1:])
    path = folder / "identity.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7), str(path))
    return path


def bench(cell: Cell, **change: Any) -> Result:
    inference = msgspec.structs.replace(cell.job.experiment.inference, **change)
    experiment = msgspec.structs.replace(cell.job.experiment, inference=inference)
    return benching.bench(msgspec.structs.replace(cell.job, experiment=experiment))


def test_an_engines_record_says_what_it_is_for_and_how_it_was_set(cell: Cell) -> None:
    engine = cell.engine
    assert (engine.ingredients.version, engine.ingredients.architecture) == ("8.5.2.2", "sm_87, L4T 35.4.1")
    assert set(engine.files) == {"model.engine", "layers.json", "runtime.json"} == set(engine.files_sha256)
    assert engine.precision_source == "builder flags" and engine.device_memory_bytes == 4096
    assert (engine.settings["flags"], engine.settings["workspace_mb"]) == ("FP16, no TF32", "256")
    assert engine.settings["timing_cache"].startswith("began empty, wrote ")


def test_a_cell_is_timed_by_host_and_device(cell: Cell) -> None:
    result = bench(cell)
    assert result.status == "ok", result.reason
    assert isinstance(result.samples, LatencySamples) and result.samples.count == 10
    assert result.samples.device_ns is not None and all(value > 0 for value in result.samples.device_ns)
    assert result.accuracy is not None and result.accuracy.outputs[0].max_abs == 0


@pytest.mark.parametrize("io_memory", ["pinned", "mapped", "managed"])
def test_throughput_and_graphs_are_measured_in_every_memory(io_memory: str, cell: Cell) -> None:
    result = bench(cell, io_memory=io_memory, issue_mode="throughput", cuda_graph=True)
    assert result.status == "ok", result.reason
    assert isinstance(result.samples, ThroughputSamples) and (result.samples.slots, result.samples.count) == (2, 10)


def test_memory_that_it_does_not_use_is_skipped(cell: Cell) -> None:
    result = bench(cell, io_memory="host")
    assert (result.status, "pinned, mapped, managed" in result.reason) == ("skipped", True)


def test_an_engine_of_another_model_is_refused(cell: Cell) -> None:
    made_of = msgspec.structs.replace(cell.job.ingredients, model_sha256="n" * 64)
    result = benching.bench(msgspec.structs.replace(cell.job, ingredients=made_of))
    assert result.status == "failed" and "model_sha256: 'mmm" in result.reason and "build it again" in result.reason


def test_an_engine_that_was_cut_short_is_refused_before_tensorrt_reads_it(cell: Cell) -> None:
    path = Path(cell.job.engine_dir) / "model.engine"
    path.write_bytes(path.read_bytes()[:-10])
    result = bench(cell)
    assert result.status == "failed" and "model.engine is not the file that was built" in result.reason


@pytest.mark.parametrize(
    ("version", "compute", "l4t", "sentence"),
    [
        ("8.6", "8.7", "35.4.1", "here runs ('8.6.2.3', 'sm_87, L4T 35.4.1')"),
        ("8.5", "7.2", "35.4.1", "here runs ('8.5.2.2', 'sm_72, L4T 35.4.1')"),
        ("8.5", "8.7", "36.4.3", "here runs ('8.5.2.2', 'sm_87, L4T 36.4.3')"),
    ],
    ids=["version", "device", "L4T"],
)
def test_an_engine_of_another_version_device_or_system_is_refused_before_it_is_loaded(
    version: str, compute: str, l4t: str, sentence: str, cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_L4T", l4t)
    other = Module(version, cell.given.work, compute=compute)
    give(monkeypatch, other, cell.given.work)
    result = bench(cell)
    assert result.status == "failed" and sentence in result.reason and "build it again" in result.reason
    assert ("Runtime", "deserialize_cuda_engine") not in other._names.touched


@pytest.mark.parametrize(
    ("routine", "name", "status", "advice"),
    [
        ("allocate", "CUDA_ERROR_OUT_OF_MEMORY", "failed", "too little device memory is free"),
        ("make_stream", "CUDA_ERROR_DEVICE_UNAVAILABLE", "crashed", "another process has it for itself"),
        ("synchronize_stream", "CUDA_ERROR_UNKNOWN", "crashed", "the device is gone"),
    ],
)
def test_a_device_that_refuses_ends_the_cell_in_words(
    routine: str, name: str, status: str, advice: str, cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise device_error(name, routine)

    with monkeypatch.context() as patch:
        patch.setattr(cell.given.work.binding, routine, refuse)
        result = bench(cell)
    assert (result.status, name in result.reason, advice in result.reason) == (status, True, True), result.reason


def test_outputs_that_are_wrong_are_never_timed(cell: Cell, tmp_path: Path) -> None:
    values: Dict[str, numpy.ndarray] = {"x": numpy.ones((1, 64), numpy.float32)}
    sha256 = arrays.save(tmp_path / "wrong.npz", values, {"y": values["x"] + 1})
    reference = msgspec.structs.replace(cell.job.reference, arrays_sha256=sha256)
    job = msgspec.structs.replace(cell.job, reference=reference, arrays=str(tmp_path / "wrong.npz"))
    result = benching.bench(job)
    assert result.status == "failed" and "differs from the reference" in result.reason and result.samples is None
