"""`bench` for real, on a small network: every status of a cell, and a run that goes on after whatever ended it."""

import concurrent.futures
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Dict, List, Optional, Tuple, Union

import msgspec
import numpy
import onnx
import pytest
from onnx import numpy_helper

from harness import upgrades
from harness.errors import PlanError
from harness.host import groundwork, lock, runs
from harness.host.bench import Outcome, bench
from harness.host.board import LocalBoard
from harness.host.plan import Block, Plan
from harness.host.progress import Progress
from harness.host.request import Request
from harness.host.survey import survey
from harness.jobs import Failure
from harness.records import BuildOptions, Engine, Machine, Reference, Result
from harness.worker import arrays

ROOT = Path(__file__).resolve().parents[1]
PLAN = Plan(
    title="test",
    experiments=[Block(models=["yolov5n@64"], backends=["null", "onnxruntime"], threads=[1])],
    rounds=2,
    warmup=2,
    iterations=10,
    max_seconds=5.0,
)


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for path in (ROOT / "models").glob("*.toml"):
        shutil.copy(str(path), str(folder))
    return folder


def request(models_dir: Path, results: Path, plan: Plan = PLAN, **more: object) -> Request:
    return Request(plan=plan, plan_name="test", command="make bench", models_dir=models_dir, results=results, **more)  # type: ignore[arg-type]


def results_of(folder: Path) -> Dict[Tuple[str, int], Result]:
    return {(result.experiment.build.backend, result.round): result for result in runs.load_one(folder).results}


def measured(asked: Request) -> Outcome:
    return bench(asked, [LocalBoard(asked.results / ".work")], Progress(quiet=True))


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


def block(plan: Plan, **change: object) -> Plan:
    return msgspec.structs.replace(plan, experiments=[msgspec.structs.replace(plan.experiments[0], **change)])


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


def test_a_finished_run_is_not_gone_on_with_and_engines_are_not_built_again(models_dir: Path, tmp_path: Path) -> None:
    first = measured(request(models_dir, tmp_path))
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "engines").rglob("*") if path.is_file()}
    second = measured(request(models_dir, tmp_path))
    assert first.folder != second.folder
    assert stamps == {path: path.stat().st_mtime_ns for path in (tmp_path / "engines").rglob("*") if path.is_file()}


@pytest.mark.parametrize("damaged", [lambda data: data[:1000], lambda data: data[:-1] + b"~"], ids=["cut", "flipped"])
def test_an_engine_that_was_damaged_is_built_again(
    damaged: Callable[[bytes], bytes], models_dir: Path, tmp_path: Path
) -> None:
    measured(request(models_dir, tmp_path))
    engine = next((tmp_path / "engines").glob("*/optimized.onnx"))
    broken = damaged(engine.read_bytes())
    engine.write_bytes(broken)
    assert measured(request(models_dir, tmp_path)).counts == {"ok": 4}
    assert engine.read_bytes() != broken


def test_what_this_machine_cannot_do_is_skipped_with_the_reason(models_dir: Path, tmp_path: Path) -> None:
    plan = block(PLAN, backends=["onnxruntime"], precisions=["fp32", "int8"])
    outcome = measured(request(models_dir, tmp_path, plan))
    assert outcome.counts == {"ok": 4, "skipped": 2}, "two of the floor, which is measured in every run"
    skipped = [one for one in runs.load_one(outcome.folder).results if one.status == "skipped"]
    assert {one.reason for one in skipped} == {"onnxruntime builds fp16, fp32 here, not int8"}


@pytest.mark.skipif(
    sys.version_info >= (3, 10) or importlib.util.find_spec("tvm") is not None,
    reason="TVM has a wheel for this Python, or was built for it",
)
def test_tvm_without_a_wheel_is_skipped_with_that_reason(models_dir: Path, tmp_path: Path) -> None:
    outcome = measured(request(models_dir, tmp_path, block(PLAN, backends=["tvm"])))
    assert outcome.counts == {"ok": 2, "skipped": 2}
    assert "no wheel for Python 3." in results_of(outcome.folder)["tvm", 1].reason


@pytest.mark.skipif(sys.version_info < (3, 10), reason="TVM has no wheel for this Python")
def test_tvm_is_measured_and_names_its_target(models_dir: Path, tmp_path: Path) -> None:
    outcome = measured(request(models_dir, tmp_path, block(PLAN, backends=["tvm"])))
    assert outcome.counts == {"ok": 4}
    assert results_of(outcome.folder)["tvm", 1].variant.startswith("untuned, ")


def test_wrong_outputs_fail_the_cell_and_are_not_timed(models_dir: Path, tmp_path: Path) -> None:
    measured(request(models_dir, tmp_path))
    record = next((tmp_path / "references").glob("*.json"))
    reference = upgrades.read(record, Reference)
    path = record.with_suffix(".npz")
    inputs, outputs = arrays.load(path, reference.arrays_sha256)
    sha256 = arrays.save(path, inputs, {name: array * numpy.float32(1.01) for name, array in outputs.items()})
    upgrades.write(record, msgspec.structs.replace(reference, arrays_sha256=sha256))

    outcome = measured(request(models_dir, tmp_path))
    assert outcome.counts == {"ok": 2, "failed": 2}
    failed = results_of(outcome.folder)["onnxruntime", 1]
    assert "differs from the reference by a relative RMS of 0.0099" in failed.reason
    assert failed.samples is None
    assert failed.accuracy is not None


def test_a_hanging_worker_crashes_its_cell_and_the_run_goes_on(models_dir: Path, tmp_path: Path) -> None:
    plan = msgspec.structs.replace(PLAN, iterations=10**7, max_seconds=600.0, time_limit_s=2, rounds=1)
    outcome = measured(request(models_dir, tmp_path, plan))
    assert outcome.counts == {"crashed": 2}
    result = results_of(outcome.folder)["onnxruntime", 1]
    assert result.reason.startswith("no answer within the time limit of 2 s")
    assert result.engine is not None


# --- a run that is ended from outside


def start(models_dir: Path, results: Path, *more: str) -> "subprocess.Popen[bytes]":
    """`bench` in a process of its own: 6 rounds of about a second."""
    words = ["--model", "yolov5n@64", "--backends", "null,onnxruntime", "--threads", "1", "--rounds", "6"]
    words += ["--iterations", "100000", "--warmup", "2", "--max-seconds", "1", "--run", "mine", *more]
    folders = ["--results", str(results), "--models-dir", str(models_dir)]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # tests run in the background ignore it
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "harness", "bench", *words, *folders],
            cwd=str(ROOT),
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
    finally:
        signal.signal(signal.SIGINT, before)


def wait_for_results(results: Path, count: int) -> List[Path]:
    for _ in range(600):
        found = sorted((results / "mine").glob("local/*/*/result.json"))
        if len(found) >= count:
            return found
        time.sleep(0.05)
    raise AssertionError(f"no {count} results in time")


def worker_of(host: int, verb: str = "bench") -> Optional[int]:
    """The worker that measures for the process `host`."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rsplit(")", 1)[1].split()[1])
            words = (path / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if parent == host and b"harness.worker" in words and verb.encode() in words:
            return int(path.name)
    return None


def gone(process: int) -> bool:
    path = Path(f"/proc/{process}/stat")
    return not path.exists() or path.read_text().rsplit(")", 1)[1].split()[0] == "Z"


def test_kill_9_of_the_whole_run_loses_nothing(models_dir: Path, tmp_path: Path) -> None:
    host = start(models_dir, tmp_path)
    before = {path: path.read_bytes() for path in wait_for_results(tmp_path, 3)}
    worker = None
    while worker is None:
        worker = worker_of(host.pid)
    host.kill()
    host.communicate()
    for _ in range(100):
        if gone(worker):
            break
        time.sleep(0.05)
    assert gone(worker), "a worker must not go on measuring for nobody"

    again = start(models_dir, tmp_path)
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err.decode()
    assert "12 ok" in out.decode()
    assert "going on: " in err.decode()
    assert all(path.read_bytes() == data for path, data in before.items()), "what had ended was measured again"
    assert len(list((tmp_path / "mine").glob("local/*/*/result.json"))) == 12
    assert len([path for path in tmp_path.iterdir() if (path / "run.json").exists()]) == 1


def test_a_killed_worker_crashes_its_cell_and_retry_measures_it_again(models_dir: Path, tmp_path: Path) -> None:
    host = start(models_dir, tmp_path)
    worker = None
    while worker is None:
        assert host.poll() is None
        worker = worker_of(host.pid)
    os.kill(worker, signal.SIGKILL)
    out, _ = host.communicate(timeout=120)
    assert host.returncode == 1, "a crashed cell is not success"
    assert "1 crashed, 11 ok" in out.decode()
    crashed = [one for one in runs.load_one(tmp_path / "mine").results if one.status == "crashed"]
    assert "ended by signal 9 (SIGKILL)" in crashed[0].reason
    assert "memory" not in crashed[0].reason

    final = start(models_dir, tmp_path)
    out, _ = final.communicate(timeout=120)
    assert "1 crashed, 11 ok" in out.decode(), "crashed is final without RETRY"
    retried = start(models_dir, tmp_path, "--retry", "crashed")
    out, _ = retried.communicate(timeout=120)
    assert retried.returncode == 0
    assert "12 ok" in out.decode()
    assert len(list((tmp_path / "mine").glob("local/*/*/crashed-1.json"))) == 1, "the crash is kept beside its retry"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_cell_leaves_no_result(models_dir: Path, tmp_path: Path, number: int, code: int) -> None:
    host = start(models_dir, tmp_path)
    wait_for_results(tmp_path, 1)
    worker = None
    while worker is None:
        worker = worker_of(host.pid)
    host.send_signal(number)
    _, err = host.communicate(timeout=60)
    assert host.returncode == code
    assert "the same command goes on from there" in err.decode()
    assert gone(worker)
    assert len(list((tmp_path / "mine").glob("local/*/*/result.json"))) < 12
    assert not list((tmp_path / ".work").glob("cell-*"))


def test_a_named_run_that_does_not_match_is_refused_with_the_difference(models_dir: Path, tmp_path: Path) -> None:
    measured(request(models_dir, tmp_path, run="mine"))
    other = msgspec.structs.replace(PLAN, iterations=11)
    with pytest.raises(PlanError, match="plan's iterations: 10 then, 11 now"):
        measured(request(models_dir, tmp_path, other, run="mine"))
    with pytest.raises(PlanError, match="is no name for a run"):
        measured(request(models_dir, tmp_path, run="engines"))


def test_a_run_of_another_machine_state_is_not_gone_on_with(models_dir: Path, tmp_path: Path) -> None:
    outcome = measured(request(models_dir, tmp_path, run="mine"))
    path = outcome.folder / "local" / "machine.json"
    machine = upgrades.read(path, Machine)
    for name in ("harness_revision", "power_mode", "governor", "boot_id", "kernel"):
        upgrades.write(path, msgspec.structs.replace(machine, **{name: "another"}))
        with pytest.raises(PlanError, match=rf"{name}: another then, \S+ now"):
            measured(request(models_dir, tmp_path, run="mine"))


def test_a_run_of_other_models_bytes_is_not_gone_on_with(models_dir: Path, tmp_path: Path, tiny_model: Path) -> None:
    given = tmp_path / "net.onnx"
    shutil.copy(str(tiny_model), str(given))
    asked = request(models_dir, tmp_path / "results", block(PLAN, models=[str(given)]), run="mine")
    before = {path: path.read_bytes() for path in measured(asked).folder.rglob("*.json")}
    model = onnx.load(str(given))
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(numpy.ones((4, 3, 3, 3), numpy.float32), "weights"))
    onnx.save(model, str(given))
    with pytest.raises(PlanError, match=r"gone on with: the bytes of net: sha256 \w{12} then, \w{12} now\."):
        measured(asked)
    assert {path: path.read_bytes() for path in before} == before


def test_what_a_killed_host_left_of_its_workers_is_removed(models_dir: Path, tmp_path: Path) -> None:
    left = tmp_path / ".work" / "cell-left"
    left.mkdir(parents=True)
    (left / "job.json").write_text("{}")
    assert measured(request(models_dir, tmp_path)).counts == {"ok": 4}
    assert not left.exists()


def test_two_measurements_at_a_time_are_refused(models_dir: Path, tmp_path: Path) -> None:
    with lock.measuring(tmp_path), pytest.raises(PlanError, match=f"process {os.getpid()} is building or measuring"):
        measured(request(models_dir, tmp_path))
