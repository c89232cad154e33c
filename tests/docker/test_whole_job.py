"""The whole job in containers of a real engine, from the command line as a user types it."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

from harness.host import doctor
from harness.host.boards import Entry, open_in_containers
from harness.host.containers import labels, launcher, pins, privilege, shell
from harness.host.containers.archive import pack
from harness.host.containers.daemon import Daemon
from harness.host.containers.keeper import Keeper
from harness.host.progress import Progress
from harness.jobs import ProbeJob
from tests.docker.conftest import ROOT
from tests.docker.engines import Engine


def command(engine: Engine, folder: Path, models_dir: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [
            sys.executable,
            "-W",
            "always::ResourceWarning",
            "-m",
            "harness",
            *words,
            "--results",
            str(folder),
            "--models-dir",
            str(models_dir),
        ],
        cwd=str(ROOT),
        env={"DOCKER_HOST": engine.address, "PATH": "/usr/bin:/bin", "JETPACK": "cpu"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_build_bench_and_report(engine: Engine, models_dir: Path, tmp_path: Path, clean: None) -> None:
    what = ["--model", "yolov5n@64", "--backends", "onnxruntime,tvm", "--threads", "1"]
    built = command(engine, tmp_path, models_dir, "build-engines", *what)
    assert built.returncode == 0, built.stderr
    keys = {path.name for path in (tmp_path / "engines").iterdir()}
    assert len(keys) == 3, "with the floor"
    again = command(engine, tmp_path, models_dir, "build-engines", *what)
    assert again.stderr.count("is there") == 3
    how = ["--rounds", "3", "--warmup", "2", "--iterations", "10", "--run", "mine"]
    measured = command(engine, tmp_path, models_dir, "bench", *what, *how)
    assert measured.returncode == 0, measured.stderr
    assert "9 ok" in measured.stdout
    dry = command(engine, tmp_path, models_dir, "bench", *what, *how[:-2], "--dry-run")
    assert dry.stdout.startswith("9 cells: 3 experiments in 3 rounds\n"), dry.stderr
    reported = command(engine, tmp_path, models_dir, "report")
    assert reported.returncode == 0, reported.stderr
    assert "TVM untuned takes" in reported.stdout
    text = (tmp_path / "mine" / "report.md").read_text()
    assert "**Base not pinned:** debian:bookworm-slim" in text
    assert "container: pin cpu, image sha256:" in text
    machine = json.loads((tmp_path / "mine" / "local" / "machine.json").read_text())
    assert machine["container"]["jetpack"] == "cpu"
    assert machine["python"].startswith("3.11"), "the image's interpreter, not the host's"
    assert "make bench PLAN=default MODEL=yolov5n@64" in text
    assert "JETPACK=cpu" in text


CHECKS = """
import os, socket, sys
bad = []
def works(what, action):
    try:
        action()
    except OSError:
        return
    bad.append(what)
works("writes to the root", lambda: open("/nothing", "w"))
works("writes to its home", lambda: open("/opt/nothing", "w"))
works("writes to the engines", lambda: open("/engines/nothing", "w"))
works("writes to the models", lambda: open("/models/nothing", "w"))
works("becomes root", lambda: os.setuid(0))
works("reaches a network", lambda: socket.create_connection(("1.1.1.1", 53), 2))
open("/tmp/fits", "w").close()
open("/cell/job/fits", "w").close()
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
if int(status["CapEff"], 16) or int(status["CapBnd"], 16):
    bad.append("has capabilities")
if status["NoNewPrivs"].strip() != "1":
    bad.append("may gain privileges")
if open("/proc/self/oom_score_adj").read().strip() != "1000":
    bad.append("is not the first to go")
interfaces = sorted(os.listdir("/sys/class/net"))
if interfaces != ["lo"]:
    bad.append("has interfaces " + ", ".join(interfaces))
print("; ".join(bad) or "nothing is allowed that need not be")
"""


def test_a_worker_may_do_nothing_but_its_work(engine: Engine, clean: None) -> None:
    client = engine.client()
    api = client.api
    volume = api.create_volume(labels=labels.labels("cell"))["Name"]
    mounts = [launcher.cell_mount(volume), *launcher.store_mounts()]
    made = api.create_container(
        _image(engine),
        command=["python3", "-c", CHECKS],
        user=str(privilege.USER),
        host_config=api.create_host_config(**privilege.least(mounts, privilege.Limits(memory_bytes=200_000_000))),
    )
    try:
        api.put_archive(made["Id"], "/cell", pack({"job/job.json": b""}, privilege.USER))
        api.start(made["Id"])
        api.wait(made["Id"])
        assert api.logs(made["Id"]).decode().strip() == "nothing is allowed that need not be"
        limits = api.inspect_container(made["Id"])["HostConfig"]
        assert limits["PidsLimit"] == privilege.PROCESSES
        assert limits["Memory"] == limits["MemorySwap"] == 200_000_000
        assert limits["Binds"] is None, "nothing of the host is mounted"
    finally:
        api.remove_container(made["Id"], force=True)
        api.remove_volume(volume)
        client.close()


def _image(engine: Engine) -> str:
    client = engine.client()
    tags: List[str] = [tag for image in client.images.list(filters=labels.ours("image")) for tag in image.tags]
    client.close()
    return tags[0]


def test_what_an_image_would_start_by_itself_is_not_started(engine: Engine, clean: None) -> None:
    """NVIDIA's server images begin with a script of their own."""
    with contextlib.closing(Daemon("test", engine.address)) as daemon:
        api = daemon.client.api
        made = api.create_container(_image(engine), command=["true"])["Id"]
        other = api.commit(made, conf={"Entrypoint": ["/bin/false"], "Cmd": ["nothing"]})["Id"]
        api.remove_container(made)
        limits, access = privilege.Limits(), privilege.GpuAccess({}, {}, "none")
        try:
            with Keeper(daemon, other), launcher.ContainerLauncher(daemon, other, limits, access, {}) as one:
                ended = one.run("probe", ProbeJob(backends=[]), 60)
                assert ended.code == 0, ended.log
                assert shell.run(daemon, other, limits, access) == 0
        finally:
            api.remove_image(other)


def test_a_board_that_is_let_go_has_no_connection_open(engine: Engine, clean: None) -> None:
    before = _sockets()
    with contextlib.closing(
        open_in_containers("local", Entry(docker=engine.address), "cpu", Progress(quiet=True))
    ) as board, board.held(lambda *_: None):
        assert _sockets() > before
    assert _sockets() == before


def _sockets() -> int:
    links = [os.readlink(str(one)) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    return sum(1 for one in links if one.startswith("socket:"))


def test_what_is_copied_for_a_cell_is_small() -> None:
    """Bar: at most 1 MB, with model and engine on the board."""
    assert len(pack(launcher.source(), privilege.USER)) < 1_000_000


def test_an_unknown_pin_is_named_with_the_nearest(engine: Engine, models_dir: Path, tmp_path: Path) -> None:
    found = command(engine, tmp_path, models_dir, "bench", "--jetpack", "5.1.3")
    assert found.returncode == 2
    assert "there is no pin '5.1.3' (nearest: 5.1.2" in found.stderr


def test_a_pin_that_this_host_cannot_run_is_refused_before_anything_is_pulled(
    engine: Engine, models_dir: Path, tmp_path: Path
) -> None:
    found = command(engine, tmp_path, models_dir, "bench", "--jetpack", "5.1.2")
    assert found.returncode == 3
    assert "JETPACK=5.1.2: its image needs a Jetson with L4T >=35.2, <36" in found.stderr
    assert "Pins that run on any machine: cpu" in found.stderr


def test_a_shell_stands_where_workers_stand(engine: Engine, tmp_path: Path, clean: None) -> None:
    script = "pwd; python3 -c 'import harness.worker, onnxruntime, tvm; print(harness.worker.__file__)'; "
    script += "touch /engines/x; exit 3"
    found = subprocess.run(
        [sys.executable, "-m", "harness", "shell", "--jetpack", "cpu", "--results", str(tmp_path)],
        cwd=str(ROOT),
        env={"DOCKER_HOST": engine.address, "PATH": "/usr/bin:/bin"},
        input=script,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 3, found.stderr
    assert found.stdout.splitlines() == ["/cell/job", "/cell/job/code/harness/worker/__init__.py"]
    assert "Read-only file system" in found.stderr


def test_volumes_are_removed_only_when_asked_and_only_ours(engine: Engine, tmp_path: Path) -> None:
    client = engine.client()
    client.api.create_volume("somebody-elses")
    client.api.create_volume("ours-to-go", labels=labels.labels("engines"))

    def clean(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "harness", "clean-volumes", *words],
            cwd=str(ROOT),
            env={"DOCKER_HOST": engine.address, "PATH": "/usr/bin:/bin"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    refused = clean()
    assert refused.returncode == 2
    assert "nobody is there to ask; YES=1" in refused.stderr
    assert "ours-to-go" in {one.name for one in client.volumes.list()}
    done = clean("--yes")
    assert done.returncode == 0, done.stderr
    left = {one.name for one in client.volumes.list()}
    assert "ours-to-go" not in left
    assert "somebody-elses" in left
    client.api.remove_volume("somebody-elses")
    client.close()


def test_the_doctor_looks_into_a_container(
    engine: Engine, clean: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    found = {one.name: one for one in doctor.examine("local", "cpu", tmp_path).findings}
    assert [one for one in found.values() if one.state == "problem"] == []
    for name in ("docker", "memory limit", "onnxruntime", "tvm", "import numpy", "import onnx", "import tvm"):
        assert found[name].state == "ok", found[name]
    assert "this pin's image has none" in found["import tensorrt"].text
    assert found["LD_LIBRARY_PATH"].text == "not set"
    assert found["import tvm"].text.startswith(pins.load().get("cpu").tvm)
