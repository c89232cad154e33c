"""Disks that fill, limits, read-only folders, `kill -9`: what had ended is kept, and the next bench goes on."""

import contextlib
import os
import random
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, Iterator, List

import pytest

from harness import upgrades
from harness.host import engines, runs
from harness.host.models.prepare import prepare
from harness.records import Engine, Result
from tests.processes import comes_about
from tests.small_bench import ROOT


def harness(results: Path, models_dir: Path, **more: object) -> "subprocess.CompletedProcess[str]":
    words = ["bench", "--model", "yolov5n@64", "--backends", "null,onnxruntime", "--threads", "1", "--rounds", "2"]
    words += ["--iterations", "10", "--warmup", "2", "--run", "mine"]
    return subprocess.run(
        [sys.executable, "-m", "harness", *words, "--results", str(results), "--models-dir", str(models_dir)],
        cwd=str(ROOT),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **more,  # type: ignore[call-overload]
    )


def workers_below(results: Path) -> List[List[bytes]]:
    """The command lines of all workers whose folders lie in `results`, whoever their parents are now."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if b"harness.worker" in words and any(word.startswith(bytes(results)) for word in words):
                found.append(words)
    return found


def whole(results: Path) -> List[Path]:
    """Every file under a final name, each of which must read."""
    found = []
    for path in results.glob("mine/**/*.json"):
        if path.name.startswith("."):
            continue
        kind = {"result.json": Result, "run.json": runs.Run}.get(path.name)
        if kind is not None:
            upgrades.read(path, kind)
        found.append(path)
    return found


@pytest.mark.parametrize("limit", [30_000, 1_000_000])
def test_a_file_size_limit_ends_in_a_sentence_and_the_next_bench_goes_on(
    models_dir: Path, tmp_path: Path, limit: int
) -> None:
    """The smaller limit stops the reference's arrays, the larger one the engine."""
    prepare(models_dir, "yolov5n@64", 1)  # the model itself is there

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    ended = harness(tmp_path / "results", models_dir, preexec_fn=limited)
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "File too large" in ended.stderr
    whole(tmp_path / "results")
    again = harness(tmp_path / "results", models_dir)
    assert again.returncode == 0, again.stderr
    assert "4 ok" in again.stdout, "an engine that only a limit stopped is not failed for good"


def test_a_builder_that_aborts_for_the_disk_is_understood() -> None:
    llvm = "ended with status 1; last line: LLVM ERROR: IO failure on output stream: File too large"
    assert engines.blames_storage(llvm)
    assert not engines.blames_storage("ended by signal 11 (SIGSEGV)")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 12 MB: room for one engine of 7.5 MB, not for much more."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a disk to fill")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_ends_in_a_sentence_and_the_next_bench_goes_on(models_dir: Path, small_disk: Path) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 11_500_000)
    ended = harness(small_disk / "results", models_dir)
    assert ended.returncode == 2, ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr
    assert "No space left on device" in ended.stderr or "disk is full" in ended.stderr
    whole(small_disk / "results")
    filler.unlink()
    again = harness(small_disk / "results", models_dir)
    assert again.returncode == 0, again.stderr
    assert "4 ok" in again.stdout


def test_a_disk_that_fills_while_measuring_loses_no_finished_cell(
    models_dir: Path, small_disk: Path, ready: Path
) -> None:
    shutil.copytree(str(ready), str(small_disk / "results"))
    first = harness(small_disk / "results", models_dir)
    assert first.returncode == 0, first.stderr
    done = sorted((small_disk / "results").glob("mine/local/*/*/result.json"))
    kept = {path: path.read_bytes() for path in done[1:]}
    done[0].unlink()
    free = shutil.disk_usage(str(small_disk)).free
    (small_disk / "filler").write_bytes(b"x" * free)
    ended = harness(small_disk / "results", models_dir)
    assert ended.returncode == 2, ended.stderr + ended.stdout
    assert not done[0].exists()
    (small_disk / "filler").unlink()
    assert harness(small_disk / "results", models_dir).returncode == 0
    assert done[0].exists()
    assert all(path.read_bytes() == data for path, data in kept.items())


def test_a_read_only_folder_is_said(models_dir: Path, small_disk: Path) -> None:
    (small_disk / "results").mkdir()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    ended = harness(small_disk / "results", models_dir)
    assert ended.returncode == 2, ended.stderr
    assert "Read-only file system" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_kill_9_at_many_moments(models_dir: Path, ready: Path) -> None:
    """No half file under a final name, no finished cell lost or measured again, and in the end the whole run.

    Half of the moments come before a host's first result, one in each of as many equal spans of time, so that none
    of it is left out; the others follow that result, however slow the machine is just then.
    """
    chance, kills = random.Random(int(os.environ.get("KILL_SEED", "1"))), int(os.environ.get("KILLS", "24"))
    rounds = 5 * kills // 8
    words = ["--model", "yolov5n@64", "--backends", "null,onnxruntime", "--threads", "1", "--rounds", str(rounds)]
    words += ["--iterations", "10", "--warmup", "2", "--run", "mine", "-q"]
    folders = ["--results", str(ready), "--models-dir", str(models_dir)]
    kept: Dict[Path, bytes] = {}

    def start() -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "harness", "bench", *words, *folders]
        return subprocess.Popen(command, cwd=str(ROOT), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ended() -> List[Path]:
        return sorted(ready.glob("mine/local/*/*/result.json"))

    def await_one_more(host: "subprocess.Popen[bytes]") -> float:
        """Seconds until there is one more result, or the host ended."""
        begin, before = time.monotonic(), len(ended())
        while len(ended()) == before and host.poll() is None and time.monotonic() - begin < 120:
            time.sleep(0.02)
        return time.monotonic() - begin

    # From a start to its first result, once the engines are built: the shortest, since a pause only makes it longer.
    reach, killed = 120.0, 0
    for _ in range(2):
        host = start()
        reach = min(reach, await_one_more(host))
        host.kill()
        host.wait()
    for span in chance.sample(range(kills), kills):
        host, part = start(), (span // 2 + chance.random()) / (kills // 2)
        if span % 2:
            reach = min(reach, await_one_more(host))
            time.sleep(0.5 * reach * part)
        else:
            time.sleep(0.1 + (reach - 0.1) * part)
        killed += host.poll() is None
        host.kill()
        host.wait()
        assert comes_about(lambda: not workers_below(ready)), "a worker must not go on for a host that was killed"
        for path in ended():
            data = path.read_bytes()
            upgrades.decode(data, Result, str(path))
            assert kept.setdefault(path, data) == data, f"{path} was measured again"
        assert all(path.exists() for path in kept)
        for path in ready.glob("engines/*/engine.json"):
            upgrades.read(path, Engine)
    last = subprocess.run(
        [sys.executable, "-m", "harness", "bench", *words, *folders], cwd=str(ROOT), capture_output=True, check=False
    )
    assert last.returncode == 0, last.stderr.decode()
    assert f"{2 * rounds} ok" in last.stdout.decode()
    assert all(path.read_bytes() == data for path, data in kept.items())
    assert len(kept) >= kills // 3, "killed so early that nothing was tested"
    assert killed >= 2 * kills // 3, "all had ended so early that nothing was killed"
    assert not list((ready / ".work").glob("cell-*")), "what killed hosts left is removed by the next"
