"""Tuning for real, on a network of one convolution: from `make tune` to a tuned row, and whatever ends it early."""

import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import List, NamedTuple

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness import schedules, trials
from harness.host import runs
from harness.host.cli import main
from harness.host.report import write
from harness.records.tuning import Choice, End, Trial
from harness.trials import LOG
from tests.small_bench import ROOT

if sys.version_info >= (3, 10):
    pytest.importorskip("tvm")
WITH_TVM = pytest.mark.skipif(sys.version_info < (3, 10), reason="TVM has no wheel for this Python")
QUICK = ["--cost-model", "random", "--strategy", "replay-trace"]


@pytest.fixture(scope="session")
def little(tmp_path_factory: pytest.TempPathFactory) -> Path:
    weights = numpy.random.default_rng(0).standard_normal((16, 8, 3, 3)).astype("float32")
    nodes = [
        helper.make_node("Conv", ["images", "weights"], ["conv"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["conv"], ["features"]),
    ]
    return saved(tmp_path_factory.mktemp("little") / "little.onnx", nodes, [1, 16, 32, 32], weights)


def saved(path: Path, nodes: list, shape: List[int], weights: numpy.ndarray) -> Path:
    graph = helper.make_graph(
        nodes,
        "little",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 8, 32, 32])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(weights, "weights")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7), str(path))
    return path


def words(model: Path, results: Path, models_dir: Path, *more: str) -> List[str]:
    named = ["--model", str(model), "--backends", "tvm", "--threads", "1", "--seed", "1"]
    return [*named, "--results", str(results), "--models-dir", str(models_dir), *more]


class Stopped(NamedTuple):
    """A search that Ctrl-C has ended."""

    results: Path
    code: int
    said: str


@pytest.fixture(scope="module")
def stopped(little: Path, models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    results = tmp_path_factory.mktemp("results")
    asked = words(little, results, models_dir, *QUICK, "--trials", "100000", "--minutes", "10")
    running = subprocess.Popen(
        [sys.executable, "-m", "harness", "tune", *asked],
        cwd=str(ROOT),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        end = time.monotonic() + 120
        while time.monotonic() < end and not any(_trials(path) > 3 for path in results.glob(f"tuning/*/{LOG}")):
            time.sleep(0.2)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=120)
    finally:
        running.kill()
    return Stopped(results, running.returncode, said)


@WITH_TVM
def test_ctrl_c_ends_a_search_with_its_choice_made(stopped: Stopped) -> None:
    assert stopped.code == 130
    assert "every trial that had ended is kept" in stopped.said
    (path,) = stopped.results.glob(f"tuning/*/{LOG}")
    found = trials.read(path)
    assert found.dropped == []
    assert [one.trials for one in found.of(End)] == [len(found.of(Trial))]
    assert found.of(Choice), "what was tried is chosen from"


@WITH_TVM
def test_a_search_goes_on_and_leads_to_a_tuned_row(
    stopped: Stopped, little: Path, models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    results = stopped.results
    (path,) = results.glob(f"tuning/*/{LOG}")
    first = path.read_bytes()
    count = len(trials.read(path).of(Trial)) + 2
    asked = words(little, results, models_dir)
    assert main(["tune", *asked, *QUICK, "--trials", str(count), "--minutes", "2"]) == 0
    assert "2 new trials in" in capsys.readouterr().out
    second = path.read_bytes()
    assert second.startswith(first), "a log only grows"
    assert len(trials.read(path).of(Trial)) == count
    assert main(["tune", *asked, *QUICK, "--trials", str(count), "--minutes", "2"]) == 0
    assert "as many trials were made here already" in capsys.readouterr().out
    assert path.read_bytes() == second

    others = tmp_path / "results"
    shutil.copytree(str(results / "tuning"), str(others / "tuning"))
    asked_of_two = [*words(little, others, models_dir), "--threads", "2"]
    assert main(["tune", *asked_of_two, *QUICK, "--trials", "1", "--minutes", "2"]) == 0
    assert "1 new trials in" in capsys.readouterr().out, "trials of another number of threads are none of these"

    assert main(["bench", *asked, "--variants", "untuned,tuned", "--rounds", "1", "--max-seconds", "1"]) == 0
    data = runs.load_one(runs.find(results, None))
    (result,) = [one for one in data.results if one.experiment.build.variant == "tuned"]
    assert result.status == "ok"
    assert result.accuracy is not None, "a tuned engine is compared with the reference like any other"
    engine = data.engines[str(result.engine)]
    assert engine.ingredients.tuning == schedules.tuning(trials.read(path))
    assert engine.variant == result.variant
    assert f"{count} trials in" in engine.variant
    account = data.tunings[engine.key]
    assert account.proofs
    assert [one.rounds for one in account.proofs.proofs] == [10]
    assert account.proofs.slower == engine.variant.startswith("tuned (fallback)")
    assert account.curve[-1].trials == count
    text = write(runs.find(results, None)).path.read_text()
    assert "## Tuning" in text
    assert "fused_conv2d_relu" in text
    assert "were made here" in text

    stamps = {one: one.stat().st_mtime_ns for one in (results / "engines").rglob("*") if one.is_file()}
    assert main(["build-engines", *asked, "--variants", "untuned,tuned"]) == 0
    assert stamps == {one: one.stat().st_mtime_ns for one in (results / "engines").rglob("*") if one.is_file()}, (
        "what was built and proved once is neither built nor proved again"
    )


def _trials(path: Path) -> int:
    return path.read_bytes().count(b'"kind":"trial"')


@WITH_TVM
def test_a_disk_that_fills_up_while_tuning_loses_no_trial(little: Path, models_dir: Path, tmp_path: Path) -> None:
    asked = words(little, tmp_path, models_dir, *QUICK, "--trials", "1000", "--minutes", "3")
    limit = 300_000  # the log begins with its tasks, and grows by some thousand bytes a trial

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    ended = subprocess.run(
        [sys.executable, "-m", "harness", "tune", *asked],
        cwd=str(ROOT),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        preexec_fn=small_disk,
    )
    assert ended.returncode == 2, ended.stderr
    assert "every trial that had ended is kept" in ended.stderr
    assert "Traceback" not in ended.stderr
    (path,) = tmp_path.glob(f"tuning/*/{LOG}")
    found = trials.read(path)
    assert found.dropped == []
    assert found.of(Trial)


@WITH_TVM
def test_a_model_without_a_part_to_tune_is_told_so(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    nodes = [helper.make_node("Identity", ["images"], ["features"])]
    model = saved(tmp_path / "nothing.onnx", nodes, [1, 8, 32, 32], numpy.zeros(1, numpy.float32))
    assert main(["tune", *words(model, tmp_path / "results", models_dir, *QUICK, "--trials", "4")]) == 1
    assert "this model has no part that could be tuned" in capsys.readouterr().out


@WITH_TVM
def test_a_target_that_the_compiler_lacks_is_named(
    little: Path, models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["tune", *words(little, tmp_path, models_dir, *QUICK, "--target", "z80")]) == 1
    assert "no target 'z80'" in capsys.readouterr().out


@pytest.mark.skipif(sys.version_info >= (3, 10), reason="TVM has a wheel for this Python")
def test_without_tvm_tuning_is_skipped_with_the_reason(
    little: Path, models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["tune", *words(little, tmp_path, models_dir)]) == 0
    assert "skipped: TVM publishes no wheel for Python 3." in capsys.readouterr().out
