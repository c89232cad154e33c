"""`bench` for real, on a small network: every status of a cell, and which run it goes on with."""

import concurrent.futures
import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import Callable, Dict, Union

import msgspec
import numpy
import onnx
import pytest
from onnx import numpy_helper

from harness import upgrades
from harness.errors import PlanError
from harness.host import groundwork, lock, runs
from harness.host.board import LocalBoard
from harness.host.progress import Progress
from harness.host.survey import survey
from harness.jobs import Failure
from harness.records import BuildOptions, Engine, Machine, Reference
from harness.worker import arrays
from tests.small_bench import PLAN, block, measured, request, results_of

ONCE = msgspec.structs.replace(PLAN, rounds=1)


def test_boards_that_need_the_same_engine_at_once_build_it_once(models_dir: Path, tmp_path: Path) -> None:
    """Two boards of one kind, side by side."""
    quiet = Progress(quiet=True)
    found = survey(PLAN, LocalBoard(tmp_path / ".work"), models_dir, tmp_path, quiet)

    def build(_: int) -> Dict[BuildOptions, Union[Engine, Failure]]:
        return groundwork.build_engines(found, found.experiments, tmp_path, quiet)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        made = list(pool.map(build, range(4)))
    assert all(one == made[0] for one in made), "with the very second at which it was built"
    assert {type(one) for one in made[0].values()} == {Engine}
    assert len(made[0]) == 2


def test_every_cell_ends_ok_with_samples_and_accuracy(models_dir: Path, tmp_path: Path) -> None:
    outcome = measured(request(models_dir, tmp_path))
    assert outcome.counts == {"ok": 4}
    found = results_of(outcome.folder)
    assert set(found) == {("null", 1), ("null", 2), ("onnxruntime", 1), ("onnxruntime", 2)}
    for (backend, _), result in found.items():
        assert result.samples is not None
        assert len(result.samples.compute_ns) == 10
        assert result.warmup_done == 2
        assert result.peak_rss_bytes > 1_000_000
        assert (result.accuracy is None) == (backend == "null"), "what computes is compared before it is timed"
    accuracy = found["onnxruntime", 1].accuracy
    assert accuracy is not None
    assert accuracy.outputs[0].relative_rms <= accuracy.tolerance == 1e-4
    engine = runs.load_one(outcome.folder).engines[str(found["onnxruntime", 1].engine)]
    assert engine.build_seconds > 0
    assert set(engine.files) == {"optimized.onnx"}
    assert not list((tmp_path / ".work").glob("cell-*")), "work folders are gone"


def test_a_finished_run_is_not_gone_on_with_and_engines_are_not_built_again(models_dir: Path, finished: Path) -> None:
    stamps = {path: path.stat().st_mtime_ns for path in (finished / "engines").rglob("*") if path.is_file()}
    assert len(stamps) == 4, "two engines of a record and a file"
    second = measured(request(models_dir, finished))
    assert second.folder != finished / "mine"
    assert stamps == {path: path.stat().st_mtime_ns for path in (finished / "engines").rglob("*") if path.is_file()}


@pytest.mark.parametrize("damaged", [lambda data: data[:1000], lambda data: data[:-1] + b"~"], ids=["cut", "flipped"])
def test_an_engine_that_was_damaged_is_built_again(
    damaged: Callable[[bytes], bytes], models_dir: Path, ready: Path
) -> None:
    engine = next((ready / "engines").glob("*/optimized.onnx"))
    broken = damaged(engine.read_bytes())
    engine.write_bytes(broken)
    assert measured(request(models_dir, ready, ONCE)).counts == {"ok": 2}
    assert engine.read_bytes() != broken


def test_what_this_machine_cannot_do_is_skipped_with_the_reason(models_dir: Path, ready: Path) -> None:
    plan = block(ONCE, backends=["onnxruntime"], precisions=["fp32", "int8"])
    outcome = measured(request(models_dir, ready, plan))
    assert outcome.counts == {"ok": 2, "skipped": 1}, "one of the floor, which is measured in every run"
    skipped = [one for one in runs.load_one(outcome.folder).results if one.status == "skipped"]
    assert {one.reason for one in skipped} == {"onnxruntime builds fp16, fp32 here, not int8"}


@pytest.mark.skipif(
    sys.version_info >= (3, 10) or importlib.util.find_spec("tvm") is not None,
    reason="TVM has a wheel for this Python, or was built for it",
)
def test_tvm_without_a_wheel_is_skipped_with_that_reason(models_dir: Path, ready: Path) -> None:
    outcome = measured(request(models_dir, ready, block(ONCE, backends=["tvm"])))
    assert outcome.counts == {"ok": 1, "skipped": 1}
    assert "no wheel for Python 3." in results_of(outcome.folder)["tvm", 1].reason


@pytest.mark.skipif(sys.version_info < (3, 10), reason="TVM has no wheel for this Python")
def test_tvm_is_measured_and_names_its_target(models_dir: Path, tmp_path: Path, tiny_model: Path) -> None:
    """Of a network that it compiles in a second; `make demo` has larger ones."""
    outcome = measured(request(models_dir, tmp_path, block(ONCE, backends=["tvm"], models=[str(tiny_model)])))
    assert outcome.counts == {"ok": 2}
    assert results_of(outcome.folder)["tvm", 1].variant.startswith("untuned, ")


def test_wrong_outputs_fail_the_cell_and_are_not_timed(models_dir: Path, ready: Path) -> None:
    record = next((ready / "references").glob("*.json"))
    reference = upgrades.read(record, Reference)
    path = record.with_suffix(".npz")
    inputs, outputs = arrays.load(path, reference.arrays_sha256)
    sha256 = arrays.save(path, inputs, {name: array * numpy.float32(1.01) for name, array in outputs.items()})
    upgrades.write(record, msgspec.structs.replace(reference, arrays_sha256=sha256))

    outcome = measured(request(models_dir, ready, ONCE))
    assert outcome.counts == {"ok": 1, "failed": 1}
    failed = results_of(outcome.folder)["onnxruntime", 1]
    assert "differs from the reference by a relative RMS of 0.0099" in failed.reason
    assert failed.samples is None
    assert failed.accuracy is not None


def test_a_hanging_worker_crashes_its_cell_and_the_run_goes_on(models_dir: Path, ready: Path) -> None:
    plan = msgspec.structs.replace(ONCE, iterations=10**7, max_seconds=600.0, time_limit_s=2)
    outcome = measured(request(models_dir, ready, plan))
    assert outcome.counts == {"crashed": 2}
    result = results_of(outcome.folder)["onnxruntime", 1]
    assert result.reason.startswith("no answer within the time limit of 2 s")
    assert result.engine is not None


def test_a_named_run_that_does_not_match_is_refused_with_the_difference(models_dir: Path, finished: Path) -> None:
    other = msgspec.structs.replace(PLAN, iterations=11)
    with pytest.raises(PlanError, match="plan's iterations: 10 then, 11 now"):
        measured(request(models_dir, finished, other, run="mine"))
    with pytest.raises(PlanError, match="is no name for a run"):
        measured(request(models_dir, finished, run="engines"))


def test_a_run_of_another_machine_state_is_not_gone_on_with(models_dir: Path, finished: Path) -> None:
    path = finished / "mine" / "local" / "machine.json"
    machine = upgrades.read(path, Machine)
    for name in ("harness_revision", "power_mode", "governor", "boot_id", "kernel"):
        upgrades.write(path, msgspec.structs.replace(machine, **{name: "another"}))
        with pytest.raises(PlanError, match=rf"{name}: another then, \S+ now"):
            measured(request(models_dir, finished, run="mine"))


def test_a_run_of_other_models_bytes_is_not_gone_on_with(models_dir: Path, tmp_path: Path, tiny_model: Path) -> None:
    given = tmp_path / "net.onnx"
    shutil.copy(str(tiny_model), str(given))
    asked = request(models_dir, tmp_path / "results", block(ONCE, models=[str(given)]), run="mine")
    before = {path: path.read_bytes() for path in measured(asked).folder.rglob("*.json")}
    model = onnx.load(str(given))
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(numpy.ones((4, 3, 3, 3), numpy.float32), "weights"))
    onnx.save(model, str(given))
    with pytest.raises(PlanError, match=r"gone on with: the bytes of net: sha256 \w{12} then, \w{12} now\."):
        measured(asked)
    assert {path: path.read_bytes() for path in before} == before


def test_what_a_killed_host_left_of_its_workers_is_removed(models_dir: Path, ready: Path) -> None:
    left = ready / ".work" / "cell-left"
    left.mkdir(parents=True)
    (left / "job.json").write_text("{}")
    assert measured(request(models_dir, ready, ONCE)).counts == {"ok": 2}
    assert not left.exists()


def test_two_measurements_at_a_time_are_refused(models_dir: Path, tmp_path: Path) -> None:
    with lock.measuring(tmp_path), pytest.raises(PlanError, match=f"process {os.getpid()} is building or measuring"):
        measured(request(models_dir, tmp_path))
