"""The two doors, `make` and `python -m harness`: targets, help, precedence of variables, exit codes, messages."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

from harness.host import options
from harness.host import plan as plans
from harness.host.cli import main

ROOT = Path(__file__).resolve().parents[1]
TARGETS = [
    "demo",
    "models",
    "build-engines",
    "tune",
    "tune-merge",
    "bench",
    "report",
    "compare",
    "crosscheck",
    "history",
    "schema",
]
TARGETS += ["selftest", "selfbench", "test"]
TARGETS += ["test-docker", "test-gpu", "test-rtx", "lint", "check", "pin", "shell", "pull", "lock", "unlock", "doctor"]
TARGETS += ["clean", "clean-results", "clean-engines", "clean-volumes"]
VARIABLES = [
    "PLAN",
    "VARIANTS",
    "TARGET",
    "MODEL",
    "BACKENDS",
    "PRECISIONS",
    "BATCH",
    "ROUNDS",
    "WARMUP",
    "ITERATIONS",
    "THREADS",
    "IO_MEMORY",
    "ISSUE_MODES",
    "CUDA_GRAPH",
    "BUILDS",
    "CALIBRATION",
    "MAX_SECONDS",
    "SEED",
    "BASELINE",
    "BOARD",
    "JETPACK",
    "RUN",
    "RETRY",
    "DRY_RUN",
]


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def harness(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "harness", *words],
        cwd=str(ROOT),
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_make_alone_lists_the_targets() -> None:
    ended = subprocess.run(["make"], cwd=str(ROOT), capture_output=True, text=True, check=True)
    assert re.findall(r"^  (\S+)  ", ended.stdout, re.MULTILINE) == TARGETS
    assert all(name in ended.stdout for name in VARIABLES)


def test_every_target_is_one_line_into_the_same_verb() -> None:
    text = (ROOT / "Makefile").read_text()
    for name in TARGETS:
        recipe = re.search(rf"^{name}:.*\n((?:\t.*\n)+)", text, re.MULTILINE)
        assert recipe is not None, name
        assert f"$(HARNESS) {name}" in recipe.group(1)
        assert recipe.group(1).count("\n") == 1


def test_make_names_a_python_that_is_not_there() -> None:
    ended = subprocess.run(
        ["make", "report", "PYTHON=python9.9"], cwd=str(ROOT), capture_output=True, text=True, check=False
    )
    assert ended.returncode != 0
    assert "there is no python9.9 here" in ended.stderr


@pytest.mark.parametrize("name", TARGETS)
def test_every_verb_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture) -> None:
    assert main([name, "--help"]) == 0
    assert f"python -m harness {name}" in capsys.readouterr().out


def test_bench_has_a_flag_for_every_variable(capsys: pytest.CaptureFixture) -> None:
    main(["bench", "--help"])
    text = capsys.readouterr().out
    for name in VARIABLES:
        assert f"--{name.lower().replace('_', '-')}" in text
        assert name in text


def dry(tmp_path: Path, *words: str, **environment: str) -> List[str]:
    ended = harness("bench", "--dry-run", "--results", str(tmp_path), *words, **environment)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def test_flag_over_variable_over_plan_over_default(tmp_path: Path) -> None:
    plan = tmp_path / "p.toml"
    plan.write_text('title="t"\nrounds=2\n[[experiments]]\nmodels=["yolov5n@64"]\nbackends=["null"]\n')
    words = ["--plan", str(plan)]
    assert dry(tmp_path, *words)[0] == "2 cells: 1 experiments in 2 rounds"
    assert dry(tmp_path, *words, ROUNDS="3")[0].startswith("3 cells")
    assert dry(tmp_path, *words, "--rounds", "4", ROUNDS="3")[0].startswith("4 cells")
    assert dry(tmp_path, *words, ROUNDS="")[0].startswith("2 cells"), "an empty variable says nothing"
    assert dry(tmp_path, *words, DRY_RUN="1", BACKENDS="null,onnxruntime", THREADS="1,2")[0].startswith("8 cells")


def test_the_factors_of_a_gpu_multiply_cells_and_stand_in_their_names(tmp_path: Path) -> None:
    words = ["--plan", "demo", "--model", "yolov5n@64", "--backends", "null,onnxruntime", "--rounds", "1"]
    factors = {"IO_MEMORY": "host,pinned", "ISSUE_MODES": "latency,throughput", "CUDA_GRAPH": "no,true", "BUILDS": "2"}
    lines = dry(tmp_path, *words, THREADS="1", **factors)
    assert lines[0] == "18 cells: 18 experiments in 1 rounds", "2 * 2 * 2 * 2 of ONNX Runtime, and the floor in 2 modes"
    label = "yolov5n@64 onnxruntime fp32 build 2 1 thread pinned throughput CUDA graph"
    assert sum(label in line for line in lines) == 1, lines


def test_a_dry_run_shows_cells_order_and_time_and_measures_nothing(tmp_path: Path) -> None:
    lines = dry(tmp_path, "--plan", "demo", "--rounds", "2")
    assert re.fullmatch(r"   1  round 1  \S+ \S+ fp32 \d+ threads?  .*", lines[1])
    assert any(line.startswith("estimated time: at most about") for line in lines)
    assert lines[-1] == "nothing was measured: DRY_RUN is set"
    assert {path.name for path in tmp_path.iterdir()} <= {".lock", ".work"}


@pytest.mark.parametrize(
    ("words", "message", "code"),
    [
        (["bench", "--plan", "nope"], "no plan 'nope'", 2),
        (["bench", "--backends", "tensort"], r"BACKENDS: unknown backend 'tensort'", 2),
        (["bench", "--rounds", "0"], "0 is not in the range", 2),
        (["bench", "--threads", "some"], "'some' is not a count", 2),
        (["bench", "--batch", "²"], "'²' is not a count", 2),
        (["bench", "--max-seconds", "nan"], "MAX_SECONDS: max_seconds is nan", 2),
        (["bench", "--seed", "-1"], "SEED: seed is -1", 2),
        (["bench", "--io-memory", "pined"], r"IO_MEMORY: unknown I/O memory 'pined' \(nearest: pinned", 2),
        (["bench", "--issue-modes", "troughput"], r"unknown issue mode 'troughput' \(nearest: throughput\)", 2),
        (["bench", "--cuda-graph", "ture"], r"'ture' is neither true nor false \(nearest: true\)", 2),
        (["bench", "--builds", "0"], "0 is not in the range", 2),
        (["bench", "--builds", "1001"], "BUILDS: builds is 1001; the most is 1000", 2),
        (["bench", "--board", "xavier"], "unknown board 'xavier'", 2),
        (["bench", "--flux"], "No such option", 2),
        (["benhc"], "No such command", 2),
        (["build-engines", "--model", "yolov5q"], r"unknown model 'yolov5q' \(nearest: ", 2),
        (["bench", "--model", "yolov5q", "--dry-run"], r"unknown model 'yolov5q' \(nearest: ", 2),
        (["bench", "--model", "nowhere.onnx", "--dry-run"], "nowhere.onnx: there is no such file", 2),
        (["report", "--run", "x"], "there is no run yet; `make bench` makes one", 2),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_2(
    tmp_path: Path, words: List[str], message: str, code: int, capsys: pytest.CaptureFixture
) -> None:
    if words[0] != "benhc":
        words = [*words, "--results", str(tmp_path)]
    assert main(words) == code
    said = capsys.readouterr().err
    assert re.search(message, said), said
    assert not list(tmp_path.glob("*/run.json"))


def test_a_mistake_ends_the_process_with_2_and_no_traceback() -> None:
    ended = harness("bench", "--model", "yolov5q", "--dry-run")
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: ") and ended.stderr.count("\n") == 1


def test_the_doctor_looks_at_what_matters(tmp_path: Path) -> None:
    ended = harness("doctor", "--results", str(tmp_path))
    assert ended.returncode == 0, ended.stdout
    for name in ["interpreter", "wheels", "onnxruntime", "tvm", "linker", "disk", "threads", "CPU governor"]:
        assert re.search(rf"^(ok|note) +{name} ", ended.stdout, re.MULTILINE), name


def test_clean_touches_neither_results_nor_engines_nor_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = ["results/mine/run.json", "results/engines/key/engine.json", "models/files/net.onnx", "harness/cli.py"]
    gone = [".venv/3.8/bin/python", ".mypy_cache/x", "harness/host/__pycache__/cli.pyc", "tests/__pycache__/x.pyc"]
    for name in [*kept, *gone]:
        (tmp_path / "checkout" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "checkout" / name).write_text("x")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "checkout" / ".ruff_cache").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr(options, "ROOT", tmp_path / "checkout")
    assert main(["clean"]) == 0
    found = [path for path in (tmp_path / "checkout").rglob("*") if not path.is_dir() or path.is_symlink()]
    assert sorted(str(path.relative_to(tmp_path / "checkout")) for path in found) == sorted(kept)
    assert (tmp_path / "elsewhere").exists(), "a link is taken away, not what it leads to"


def test_outside_its_environment_the_command_says_where_it_is(tmp_path: Path) -> None:
    bare = subprocess.run(
        [sys.executable, "-S", "-m", "harness"], cwd=str(ROOT), capture_output=True, text=True, check=False
    )
    assert bare.returncode == 1
    assert ".venv" in bare.stderr
    assert "Traceback" not in bare.stderr


def test_the_demo_ends_with_its_report_and_headline(tmp_path: Path) -> None:
    """The whole job, smaller still; `make demo` itself is run by `.ci/run`."""
    words = ["--model", "yolov5n@32", "--backends", "onnxruntime", "--threads", "1,2", "--rounds", "3", "-q"]
    ended = harness("demo", *words, "--iterations", "10", "--results", str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    page, path, headline = ended.stdout.splitlines()[-3:]
    assert Path(page[len("page: ") :]).read_text().startswith("<!doctype html>")
    text = Path(path[len("report: ") :]).read_text()
    assert path.startswith("report: ")
    assert re.search("ONNX Runtime with 2 threads .* ONNX Runtime with 1 thread", headline)
    assert text.startswith(f"# {plans.load('demo', plans.Overrides()).title}\n\n**{headline}**\n")
