"""Boards elsewhere: a second engine plays one, another is reached through SSH on loopback, a third has no disk left."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Iterator, List

import msgspec
import pytest

from harness import upgrades
from harness.errors import LaunchError
from harness.host import doctor, readings, runs
from harness.host.boards import Entry, open_in_containers
from harness.host.containers import labels
from harness.host.containers.daemon import Lost
from harness.records import Result
from tests.docker.conftest import PLAN, QUIET, ROOT, Measure, board
from tests.docker.engines import NEEDED, Engine, Sshd, copy_images
from tests.fleet.boards import Ground, built

SSHD = "/usr/sbin/sshd"
DISK_BYTES = 6_000_000_000
"""Of the second engine, in memory: so that it can be filled."""


@pytest.fixture(scope="module")
def second(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    found = Engine(tmp_path_factory.mktemp("second"), network=False, small_bytes=DISK_BYTES).start()
    try:
        copy_images(engine, found)
        yield found
    finally:
        found.end()


@pytest.fixture()
def sshd(second: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    if not Path(SSHD).exists() and not os.environ.get(NEEDED):
        pytest.skip("sshd is not installed (apt-get install openssh-server)")
    found = Sshd(tmp_path / "sshd", second).start()
    # What a user keeps in ~/.ssh/config stands in a file of the test instead.
    monkeypatch.setenv("PATH", f"{found.clients}{os.pathsep}{os.environ['PATH']}")
    try:
        yield found
    finally:
        found.stop()


def test_two_boards_side_by_side_in_one_report(
    engine: Engine, second: Engine, measure: Measure, tmp_path: Path, clean: None
) -> None:
    outcome = measure(boards=[board(engine.address, "near"), board(second.address, "far")])
    assert outcome.counts == {"ok": 8}
    assert {path.name for path in outcome.folder.iterdir() if path.is_dir() and path.name != "engines"} == {
        "near",
        "far",
    }
    done = subprocess.run(
        [sys.executable, "-m", "harness", "report", "--results", str(tmp_path / "results")],
        cwd=str(ROOT),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    text = (outcome.folder / "report.md").read_text()
    assert "# Board near" in text or "## Board near" in text
    assert "# Board far" in text or "## Board far" in text


def test_a_board_behind_ssh(sshd: Sshd, measure: Measure) -> None:
    entry = Entry(docker=sshd.address)
    far = open_in_containers("xavier-lab", entry, "cpu", QUIET)
    outcome = measure(boards=[far])
    assert outcome.counts == {"ok": 4}
    machine = runs.load_one(outcome.folder).machine
    assert machine.container is not None and machine.container.jetpack == "cpu"
    again = open_in_containers("xavier-lab", entry, "cpu", QUIET)
    with contextlib.closing(again), again.held(lambda *_: None):
        assert again.shell() == 0
    assert all("StrictHostKeyChecking=yes" in call for call in sshd.calls()), "also what the shell comes through"


def test_a_board_behind_ssh_measures_for_a_tuning_job(sshd: Sshd, tmp_path: Path) -> None:
    ground = Ground(tmp_path, built(tmp_path))
    far = open_in_containers("xavier-lab", Entry(docker=sshd.address), "cpu", QUIET)
    with contextlib.closing(far), far.held(lambda *_: None), ground.metered([far]) as meter:
        answers = ground.measured(meter, ["quick", "quick"])
    assert [(one.number, one.place, one.outcome) for one in answers] == [
        (0, "xavier-lab", "measured"),
        (1, "xavier-lab", "measured"),
    ]


def test_the_doctor_finds_the_disk_that_the_images_are_on(
    second: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", second.address)
    (one,) = [one for one in doctor.examine("local", "cpu", tmp_path).findings if one.name == "image disk"]
    assert 0 < float(one.text.split()[0]) <= DISK_BYTES / 1e9
    assert one.state == "note", "it is a small one"


def test_a_host_key_that_is_not_known_is_refused(sshd: Sshd) -> None:
    sshd.forget_host_key()
    with pytest.raises(LaunchError, match=r"Host key verification failed|does not know the board's host key"):
        open_in_containers("xavier-lab", Entry(docker=sshd.address), "cpu", QUIET)


def test_a_connection_through_ssh_that_drops_in_mid_cell_and_the_run_goes_on(
    sshd: Sshd, second: Engine, measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.host.containers import daemon

    monkeypatch.setattr(daemon, "BACK_LIMIT_S", 2.0)
    slow = msgspec.structs.replace(PLAN, iterations=3000, max_seconds=4.0, rounds=1)
    lost: List[str] = []

    def cut() -> None:
        with contextlib.closing(second.client()) as client:
            end = time.monotonic() + 120
            while time.monotonic() < end and not lost:
                for one in client.api.containers(filters=labels.ours("cell")):
                    if "-onnxruntime-" in one["Labels"].get(labels.CELL, ""):
                        time.sleep(1)
                        lost.append(one["Id"])
                time.sleep(0.05)
        sshd.stop()

    thread = threading.Thread(target=cut)
    thread.start()
    with pytest.raises(Lost, match="did not come back within 2 s"):
        measure(slow, boards=[open_in_containers("xavier-lab", Entry(docker=sshd.address), "cpu", QUIET)])
    thread.join()
    with contextlib.closing(second.client()) as client:
        client.api.wait(lost[0])
    sshd.start()
    outcome = measure(slow, boards=[open_in_containers("xavier-lab", Entry(docker=sshd.address), "cpu", QUIET)])
    assert outcome.counts == {"ok": 2}
    with contextlib.closing(second.client()) as client:
        assert client.containers.list(all=True) == []


def test_a_board_whose_disk_is_full(second: Engine, measure: Measure) -> None:
    filler = second.data / "filler"
    more = msgspec.structs.replace(PLAN, iterations=12)
    try:
        assert measure(boards=[board(second.address)]).counts == {"ok": 4}
        stat = os.statvfs(str(second.data))
        with filler.open("wb") as file, contextlib.suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, stat.f_bavail * stat.f_frsize - 100_000)
        with pytest.raises(LaunchError, match="no space left on device"):
            measure(more, boards=[board(second.address)])
    finally:
        filler.unlink()
    assert measure(more, boards=[board(second.address)]).counts == {"ok": 4}
    with contextlib.closing(second.client()) as client:
        assert client.containers.list(all=True) == []
        assert client.volumes.list(filters={"label": f"{labels.ROLE}=cell"}) == []


def test_what_a_lost_connection_left_is_pulled(
    engine: Engine, second: Engine, measure: Measure, tmp_path: Path, models_dir: Path
) -> None:
    """`make pull` waits for the cell that still measures, and takes its answer without measuring anything."""
    slow = ["--model", "yolov5n@64", "--backends", "onnxruntime", "--iterations", "3000", "--max-seconds", "5"]
    slow += ["--threads", "1", "--rounds", "1", "--jetpack", "cpu", "--models-dir", str(models_dir)]
    results = ["--results", str(tmp_path / "results")]
    environment = {**os.environ, "DOCKER_HOST": second.address}
    host = subprocess.Popen(
        [sys.executable, "-m", "harness", "bench", *slow, *results, "--run", "mine"],
        cwd=str(ROOT),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with contextlib.closing(second.client()) as client:
        end = time.monotonic() + 120
        running = False
        while time.monotonic() < end and not running:
            cells = client.api.containers(filters=labels.ours("cell"))
            running = any("-onnxruntime-" in one["Labels"].get(labels.CELL, "") for one in cells)
            time.sleep(0.05)
        assert running
        time.sleep(1)
        host.kill()
        host.wait()
    before = set((tmp_path / "results" / "mine").glob("local/*/*/result.json"))
    pulled = subprocess.run(
        [sys.executable, "-m", "harness", "pull", "--jetpack", "cpu", *results],
        cwd=str(ROOT),
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert pulled.returncode == 0, pulled.stderr
    assert "results fetched: 1" in pulled.stdout
    after = set((tmp_path / "results" / "mine").glob("local/*/*/result.json"))
    assert len(after - before) == 1
    found = upgrades.read((after - before).pop(), Result)
    assert found.telemetry is not None
    folder = runs.result_path(tmp_path / "results" / "mine", found.experiment, found.round).parent
    assert "memory/available" in readings.load(found.telemetry, folder), "with what sensors told meanwhile"
