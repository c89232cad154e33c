"""What may go wrong with containers, for real: each time one Result per cell, nothing lost, nothing left."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Callable, Dict, List

import msgspec
import pytest

from harness.errors import LaunchError
from harness.host import boards, doctor, runs
from harness.host.containers import daemon, image, labels, pins
from harness.host.containers import launcher as launching
from harness.host.containers.daemon import Daemon, Lost
from harness.host.plan import Plan
from tests.docker.conftest import PLAN, QUIET, ROOT, Measure, board
from tests.docker.engines import Door, Engine

SLOW = msgspec.structs.replace(PLAN, iterations=30_000, warmup=2, max_seconds=4.0, rounds=1)
"""Cells of four seconds, ended by their budget on any machine: time enough for something to happen in one."""
LONGER = msgspec.structs.replace(SLOW, rounds=2)
"""After any cell that is acted on another comes, so that the run is not over."""


def replaced(plan: Plan, **block: object) -> Plan:
    return msgspec.structs.replace(plan, experiments=[msgspec.structs.replace(plan.experiments[0], **block)])


def statuses(folder: Path) -> Dict[str, int]:
    found: Dict[str, int] = {}
    for result in runs.load_one(folder).results:
        found[result.status] = found.get(result.status, 0) + 1
    return found


def reasons(folder: Path) -> List[str]:
    return sorted({result.reason for result in runs.load_one(folder).results if result.status == "crashed"})


def when_a_cell_runs(engine: Engine, verb: str, act: Callable[[str], None]) -> threading.Thread:
    """Acts on the first container in which ONNX Runtime is running `verb`, a second after it started."""

    def watch() -> None:
        client = engine.client()
        end = time.monotonic() + 120
        while time.monotonic() < end:
            for one in client.api.containers(filters=labels.ours("cell")):
                about = one["Labels"].get(labels.CELL, "")
                if one["Command"].endswith(f" {verb}") and "-onnxruntime-" in about:
                    time.sleep(1)
                    client.close()
                    act(one["Id"])
                    return
            time.sleep(0.05)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def kill(engine: Engine, container: str) -> None:
    client = engine.client()
    client.api.kill(container)
    client.close()


def test_a_container_killed_from_outside(engine: Engine, measure: Measure, clean: None) -> None:
    thread = when_a_cell_runs(engine, "bench", lambda container: kill(engine, container))
    outcome = measure(SLOW)
    thread.join()
    assert outcome.counts == {"crashed": 1, "ok": 1}
    assert reasons(outcome.folder)[0].startswith("ended with status 137 (SIGKILL)")
    assert "memory" not in reasons(outcome.folder)[0], "137 alone is never called out of memory"


def test_a_cell_that_takes_more_memory_than_it_may(engine: Engine, measure: Measure, clean: None) -> None:
    boards = [board(engine.address, memory_mb=70)]
    outcome = measure(replaced(PLAN, backends=["null", "onnxruntime"], models=["yolov5n@320"]), boards=boards)
    found = {one.experiment.build.backend: one for one in runs.load_one(outcome.folder).results}
    assert found["onnxruntime"].status == "crashed"
    assert re.search(
        r"out of memory, said by (Docker's flag|the container's cgroup), \d+ MB taken of at most 70 MB",
        found["onnxruntime"].reason,
    )


def test_a_cell_over_its_time_limit(engine: Engine, measure: Measure, clean: None) -> None:
    plan = msgspec.structs.replace(SLOW, time_limit_s=3.0)
    outcome = measure(plan)
    assert statuses(outcome.folder)["crashed"] == 1
    assert reasons(outcome.folder)[0].startswith("no answer within the time limit of 3 s")


def test_the_engine_stops_during_a_run_and_comes_back(engine: Engine, measure: Measure, clean: None) -> None:
    def restart(_: str) -> None:
        engine.stop()
        time.sleep(1)
        engine.start()

    thread = when_a_cell_runs(engine, "bench", restart)
    outcome = measure(SLOW)
    thread.join()
    assert sum(outcome.counts.values()) == 2
    # The cell in flight ends with its engine, or while the engine waits for it to end.
    assert outcome.counts["ok"] >= 1
    assert set(outcome.counts) <= {"ok", "crashed"}


def test_a_connection_that_drops_and_returns_costs_nothing(
    engine: Engine, measure: Measure, tmp_path: Path, clean: None
) -> None:
    door = Door(tmp_path / "door.sock", engine).open()

    def drop(_: str) -> None:
        door.shut()
        time.sleep(1.5)
        door.open()

    thread = when_a_cell_runs(engine, "bench", drop)
    outcome = measure(SLOW, boards=[board(door.address)])
    thread.join()
    door.shut()
    assert outcome.counts == {"ok": 2}, "the board went on measuring meanwhile"


def test_a_connection_that_stays_away_ends_the_run_and_the_next_takes_what_the_board_finished(
    engine: Engine, measure: Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean: None
) -> None:
    monkeypatch.setattr(daemon, "BACK_LIMIT_S", 1.0)
    door = Door(tmp_path / "door.sock", engine).open()
    lost: List[str] = []

    def drop(container: str) -> None:
        lost.append(container)
        door.shut()

    thread = when_a_cell_runs(engine, "bench", drop)
    with pytest.raises(Lost, match="did not come back within 1 s"):
        measure(LONGER, boards=[board(door.address)])
    thread.join()
    client = engine.client()
    client.api.wait(lost[0])
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "results").glob("*/local/*/*/result.json")}
    door.open()
    outcome = measure(LONGER, boards=[board(door.address)])
    door.shut()
    client.close()
    assert outcome.counts == {"ok": 4}
    there = {path: path.stat().st_mtime_ns for path in (tmp_path / "results").glob("*/local/*/*/result.json")}
    assert before.items() <= there.items(), "nothing that had ended was measured again"
    assert len({path.parts[-5] for path in there}) == 1, "the same run"


def test_two_runs_at_once_on_one_board(engine: Engine, measure: Measure, tmp_path: Path, clean: None) -> None:
    errors: List[str] = []

    def second(_: str) -> None:
        with pytest.raises(LaunchError) as caught, board(engine.address).held(lambda *_: None):
            pass
        errors.append(str(caught.value))

    thread = when_a_cell_runs(engine, "bench", second)
    assert measure(LONGER).counts == {"ok": 4}, "the first is not disturbed"
    thread.join()
    assert "another run builds or measures there" in errors[0]


def test_two_names_of_one_machine_are_not_measured_side_by_side(engine: Engine, tmp_path: Path, clean: None) -> None:
    file = tmp_path / "boards.toml"
    file.write_text("".join(f'[{name}]\ndocker = "{engine.address}"\njetpack = "cpu"\n' for name in "ab"))
    with boards.opened("ab", None, tmp_path / "results", QUIET, file) as (one, other), one.held(lambda *_: None):
        said = r"board b: .* or another board of this one is the same machine"
        with pytest.raises(LaunchError, match=said), other.held(lambda *_: None):
            pass
        with contextlib.closing(engine.client()) as client:
            assert len(client.containers.list()) == 1, "the first still holds it"


def test_the_doctor_during_a_run_disturbs_nothing(
    engine: Engine, measure: Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean: None
) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    said: List[str] = []

    def look(_: str) -> None:
        for results in (tmp_path / "results", tmp_path / "elsewhere"):  # the run's own folder, and another's
            said.extend(one.text for one in doctor.examine("local", "cpu", results).findings if one.name == "inside")

    thread = when_a_cell_runs(engine, "bench", look)
    assert measure(LONGER).counts == {"ok": 4}
    thread.join()
    assert "is building or measuring here" in said[0]
    assert said[1] == "not looked at: a cell is measured on board local now"


def test_kill_9_of_the_host_frees_the_board_and_the_next_run_cleans_up(
    engine: Engine, models_dir: Path, tmp_path: Path, measure: Measure, clean: None
) -> None:
    words = ["bench", "--jetpack", "cpu", "--model", "yolov5n@64", "--backends", "onnxruntime", "--iterations", "3000"]
    words += [
        "--threads",
        "1",
        "--max-seconds",
        "6",
        "--results",
        str(tmp_path / "results"),
        "--models-dir",
        str(models_dir),
    ]
    host = subprocess.Popen(
        [sys.executable, "-m", "harness", *words],
        cwd=str(ROOT),
        env={**os.environ, "DOCKER_HOST": engine.address},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    thread = when_a_cell_runs(engine, "bench", lambda _: host.send_signal(signal.SIGKILL))
    assert host.wait(120) == -signal.SIGKILL
    thread.join()
    assert measure().counts == {"ok": 4}, "the board is free again"


def test_a_base_that_no_registry_has(engine: Engine) -> None:
    pin = msgspec.structs.replace(
        pins.load().get("cpu"), base="localhost:1/nobody/has:this", devel="localhost:1/nobody/has:this"
    )
    said = r"board local: Docker refused: .*localhost:1/"
    with contextlib.closing(Daemon("local", engine.address)) as far, pytest.raises(LaunchError, match=said):
        image.ensure(far, "cpu", pin, QUIET)


def test_a_base_with_another_digest_than_the_pinned_one(engine: Engine) -> None:
    digest = f"sha256:{'0' * 64}"
    pin = msgspec.structs.replace(pins.load().get("cpu"), base_digest=digest, devel_digest=digest)
    with pytest.raises(
        LaunchError, match=r"pinned to debian:bookworm-slim with digest sha256:0+; .* has none \(it was imported\)"
    ), contextlib.closing(Daemon("local", engine.address)) as far:
        image.ensure(far, "cpu", pin, QUIET)


OTHER_ROUND = (
    "from pathlib import Path; from harness import upgrades; from harness.jobs import BenchJob; "
    "from harness.records import Result; job = upgrades.read(Path('job.json'), BenchJob); "
    "upgrades.write(Path('out.json'), Result(experiment=job.experiment, round=9, status='skipped', reason='x'))"
)
HOSTILE = {
    "another cell's result": OTHER_ROUND,
    "a link": "os.symlink('/etc/passwd', 'out.json')",
    "a pipe": "os.mkfifo('out.json')",
    "a folder": "os.mkdir('out.json')",
    "10 GB that take no room": "open('out.json', 'w').truncate(10_000_000_000)",
    "no record": "open('out.json', 'w').write('[' * 100_000)",
    "another's result": "open('out.json', 'w').write('{\"kind\": \"engine\"}')",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_container_that_leaves_what_no_worker_writes(
    engine: Engine, measure: Measure, monkeypatch: pytest.MonkeyPatch, what: str, clean: None
) -> None:
    honest = launching.source()
    main = "code/harness/worker/__main__.py"
    hostile = f"import os, sys\nif sys.argv[1] == 'bench':\n    {HOSTILE[what]}\n    sys.exit(0)\n".encode()
    monkeypatch.setattr(launching, "source", lambda: {**honest, main: hostile + honest[main]})
    start = time.monotonic()
    outcome = measure(msgspec.structs.replace(PLAN, rounds=1))
    assert outcome.counts == {"crashed": 2}
    assert time.monotonic() - start < 60, "nothing of it was read to its end"
    said = reasons(outcome.folder)[0]
    assert "refused" in said or "is not JSON" in said or "schema" in said or "content hash" in said
    assert runs.load_one(outcome.folder).broken == []


def test_an_engine_folder_with_a_million_members(
    engine: Engine, measure: Measure, monkeypatch: pytest.MonkeyPatch, clean: None
) -> None:
    honest = launching.source()
    main = "code/harness/worker/build.py"
    many = b"\n\nhonest = build\ndef build(job):\n    out = honest(job)\n    for one in range(5000):\n"
    many += b"        open(job.engine_dir + '/' + str(one), 'w')\n    return out\n"
    monkeypatch.setattr(launching, "source", lambda: {**honest, main: honest[main] + many})
    outcome = measure(msgspec.structs.replace(PLAN, rounds=1))
    assert outcome.counts.get("ok", 0) == 0
    assert all("more than 1000 members" in one.reason for one in runs.load_one(outcome.folder).results)


@pytest.mark.parametrize(
    "what",
    [
        "import shutil; shutil.rmtree(job.engine_dir); open(job.engine_dir, 'w')",
        "os.mkdir(job.engine_dir + '/deeper'); open(job.engine_dir + '/deeper/x', 'w')",
        "open(job.engine_dir + '/more', 'w')",
        "os.remove(job.engine_dir + '/' + sorted(out.files)[0])",
    ],
)
def test_an_engine_of_other_files_than_it_names(
    engine: Engine, measure: Measure, monkeypatch: pytest.MonkeyPatch, what: str, clean: None
) -> None:
    honest, work = launching.source(), "code/harness/worker/build.py"
    more = f"\n\nhonest = build\ndef build(job):\n    out = honest(job)\n    {what}\n    return out\n"
    monkeypatch.setattr(launching, "source", lambda: {**honest, work: honest[work] + more.encode()})
    outcome = measure(msgspec.structs.replace(PLAN, rounds=1))
    assert outcome.counts == {"crashed": 2}
    assert reasons(outcome.folder) == ["the answer was refused: the engine's files are not those that its record names"]
    assert list((outcome.folder.parent / "engines").iterdir()) == []
    monkeypatch.undo()
    assert measure(msgspec.structs.replace(PLAN, rounds=1, iterations=11)).counts == {"ok": 2}, "nothing is in the way"


@pytest.mark.parametrize("verb", ["build", "reference"])
def test_an_answer_whose_key_is_a_way_out(
    engine: Engine, measure: Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, clean: None
) -> None:
    """Engines and references are files named by their keys."""
    honest, work = launching.source(), f"code/harness/worker/{verb}.py"
    more = f"\n\nimport msgspec\nhonest = {verb}\ndef {verb}(job):\n"
    more += "    return msgspec.structs.replace(honest(job), key='../../away')\n"
    monkeypatch.setattr(launching, "source", lambda: {**honest, work: honest[work] + more.encode()})
    outcome = measure(msgspec.structs.replace(PLAN, rounds=1))
    assert outcome.counts == {"crashed": 2}
    assert reasons(outcome.folder)[0].startswith("the answer was refused: it is another ")
    assert not list(tmp_path.rglob("away*"))
