"""`bench` that is ended from outside: killed, its worker killed, interrupted; and that the next one goes on."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import List, Optional

import pytest

from harness.host import runs
from tests.processes import comes_about, gone, parent_of
from tests.small_bench import ROOT

CELLS = 6


def start(models_dir: Path, results: Path, *more: str) -> "subprocess.Popen[bytes]":
    """`bench` in a process of its own: CELLS of half a second."""
    words = ["--model", "yolov5n@64", "--backends", "null,onnxruntime", "--threads", "1", "--rounds", str(CELLS // 2)]
    words += ["--iterations", "100000", "--warmup", "2", "--max-seconds", "0.5", "--run", "mine", *more]
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
    def found() -> List[Path]:
        return sorted((results / "mine").glob("local/*/*/result.json"))

    assert comes_about(lambda: len(found()) >= count), f"no {count} results in time"
    return found()


def worker_of(host: int, verb: str = "bench") -> Optional[int]:
    """The worker that measures for the process `host`."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = parent_of(path)
            words = (path / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if parent == host and b"harness.worker" in words and verb.encode() in words:
            return int(path.name)
    return None


def wait_for_worker(host: "subprocess.Popen[bytes]") -> int:
    worker = None
    while worker is None:
        assert host.poll() is None
        worker = worker_of(host.pid)
    return worker


def test_kill_9_of_the_whole_run_loses_nothing(models_dir: Path, ready: Path) -> None:
    host = start(models_dir, ready)
    before = {path: path.read_bytes() for path in wait_for_results(ready, 3)}
    worker = wait_for_worker(host)
    host.kill()
    host.communicate()
    assert comes_about(lambda: gone(worker)), "a worker must not go on measuring for nobody"

    again = start(models_dir, ready)
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err.decode()
    assert f"{CELLS} ok" in out.decode()
    assert "going on: " in err.decode()
    assert all(path.read_bytes() == data for path, data in before.items()), "what had ended was measured again"
    assert len(list((ready / "mine").glob("local/*/*/result.json"))) == CELLS
    assert len([path for path in ready.iterdir() if (path / "run.json").exists()]) == 1


def test_a_killed_worker_crashes_its_cell_and_retry_measures_it_again(models_dir: Path, ready: Path) -> None:
    host = start(models_dir, ready)
    worker = wait_for_worker(host)
    os.kill(worker, signal.SIGKILL)
    out, _ = host.communicate(timeout=120)
    assert host.returncode == 1, "a crashed cell is not success"
    assert f"1 crashed, {CELLS - 1} ok" in out.decode()
    crashed = [one for one in runs.load_one(ready / "mine").results if one.status == "crashed"]
    assert "ended by signal 9 (SIGKILL)" in crashed[0].reason
    assert "memory" not in crashed[0].reason

    final = start(models_dir, ready)
    out, _ = final.communicate(timeout=120)
    assert f"1 crashed, {CELLS - 1} ok" in out.decode(), "crashed is final without RETRY"
    retried = start(models_dir, ready, "--retry", "crashed")
    out, _ = retried.communicate(timeout=120)
    assert retried.returncode == 0
    assert f"{CELLS} ok" in out.decode()
    assert len(list((ready / "mine").glob("local/*/*/crashed-1.json"))) == 1, "the crash is kept beside its retry"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_cell_leaves_no_result(models_dir: Path, ready: Path, number: int, code: int) -> None:
    host = start(models_dir, ready)
    wait_for_results(ready, 1)
    worker = wait_for_worker(host)
    host.send_signal(number)
    _, err = host.communicate(timeout=60)
    assert host.returncode == code
    assert "the same command goes on from there" in err.decode()
    assert gone(worker)
    assert len(list((ready / "mine").glob("local/*/*/result.json"))) < CELLS
    assert not list((ready / ".work").glob("cell-*"))
