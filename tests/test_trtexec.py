"""trtexec as a real process: a stand-in that is strict about the flags of its version, and the ways it can go wrong."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Tuple

import msgspec
import pytest

from harness import upgrades
from harness.crosscheck import TrtexecOptions
from harness.errors import Unsupported
from harness.host import runs
from harness.host.cli import main
from harness.host.crosscheck.check import TIMES
from harness.host.crosscheck.outcome import AGREES, Crosscheck
from harness.records import Experiment
from harness.worker import trtexec
from tests import tensorrt_run as made
from tests.trtexec_stand_in import known

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = {"8201": (8, 2, 1), "8403": (8, 4, 3), "8502": (8, 5, 2), "8601": (8, 6, 1)}
VERSIONS.update({"100300": (10, 3, 0), "101600": (10, 16, 0), "110000": (11, 0, 0), "110100": (11, 1, 0)})
EVERY = [
    TrtexecOptions(iterations=120),
    TrtexecOptions(iterations=120, cuda_graph=True),
    TrtexecOptions(iterations=12, overlap=True, managed_memory=True),
    TrtexecOptions(iterations=120, data_transfers=False, spin_wait=False, dla_core=0, shapes={"images": "1x3x64x64"}),
]


@pytest.mark.parametrize("number", VERSIONS)
def test_the_banner_tells_the_version(number: str) -> None:
    banner = f"junk\n&&&& RUNNING TensorRT.trtexec [TensorRT v{number}] [b9] # trtexec --help\n"
    assert trtexec.parse_version(banner) == VERSIONS[number]


@pytest.mark.parametrize("text", ["", "TensorRT 8.5", "[TensorRT v10]", "[TensorRT v85022]", "[TensorRT vX]"])
def test_no_banner_is_no_version(text: str) -> None:
    assert trtexec.parse_version(text) is None


@pytest.mark.parametrize("number", VERSIONS)
@pytest.mark.parametrize("options", EVERY)
def test_every_flag_does_something_in_its_version(number: str, options: TrtexecOptions) -> None:
    version = VERSIONS[number]
    told = [flag.partition("=")[0] for flag in trtexec.flags(version, options)]
    assert set(told) <= set(known(version[:2]))
    assert len(set(told)) == len(told)


def test_one_wish_is_other_flags_in_other_versions() -> None:
    """A device without graph, discrete buffers, spinning, one at a time: 20 + 100 counted."""
    counted = ["--warmUp=0", "--duration=0", "--iterations=120"]
    wish = TrtexecOptions(iterations=120)
    assert trtexec.flags((8, 5, 2), wish) == [*counted, "--streams=1", "--useSpinWait", "--exposeDMA"]
    assert trtexec.flags((10, 3, 0), wish) == [*counted, "--infStreams=1", "--useSpinWait", "--exposeDMA"]
    assert trtexec.flags((11, 0, 0), wish) == [
        *counted,
        "--infStreams=1",
        "--includeDataTransfers",
        "--noCudaGraph",
        "--exposeDMA",
    ]
    graph = msgspec.structs.replace(wish, cuda_graph=True)
    assert "--useCudaGraph" in trtexec.flags((10, 3, 0), graph)
    assert "--noCudaGraph" not in trtexec.flags((11, 0, 0), graph), "it is 11's own default"
    shapes = msgspec.structs.replace(wish, shapes={"images": "1x3x64x64", "scale:0": "1"})
    assert trtexec.flags((10, 3, 0), shapes)[-1] == "--shapes=images:1x3x64x64,'scale:0':1"


def test_a_trtexec_beside_the_path_is_found_and_none_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(Unsupported, match=r"no trtexec, neither on PATH nor in .*apt-get install libnvinfer-bin"):
        trtexec.find(tmp_path)
    (tmp_path / "trtexec").write_text("#!/bin/sh\n")
    (tmp_path / "trtexec").chmod(0o755)
    assert trtexec.find(tmp_path) == (tmp_path / "trtexec", str(tmp_path))


class Said(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


class Place:
    """Results with one run, and a PATH on which a trtexec lies. The worker and it are processes of their own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
        self.results, self.told = folder / "results", folder / "told"
        self._monkeypatch, self._capsys = monkeypatch, capsys
        program = folder / "bin" / "trtexec"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\ncd {ROOT} && exec {sys.executable} -m tests.trtexec_stand_in "$@"\n')
        program.chmod(0o755)
        self.variables = {
            "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
            "STAND_IN_TOLD": str(self.told),
            "STAND_IN_VERSION": "8502",
            "STAND_IN_COMPUTE_MS": "4.4",
        }

    def run(self, *words: str, **more: str) -> Said:
        for name, value in {**self.variables, **more}.items():
            self._monkeypatch.setenv(name, value)
        code = main(["crosscheck", "-q", "--results", str(self.results), *words])
        return Said(code, *self._capsys.readouterr())

    def outcome(self, folder: Path, one: Experiment) -> Crosscheck:
        return upgrades.read(runs.crosscheck_path(folder, one), Crosscheck)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Place:
    return Place(tmp_path, monkeypatch, capsys)


VERSIONED = [("8502", "8.5.2.2"), ("8601", "8.6.1.6"), ("100300", "10.3.0.26"), ("110100", "11.1.0.1")]


@pytest.mark.parametrize(("number", "version"), VERSIONED)
def test_the_same_engine_is_timed_and_agrees(place: Place, number: str, version: str) -> None:
    one = made.experiment()
    folder = made.write(place.results, [one], made.rounds(one), version)
    ended = place.run(STAND_IN_VERSION=number)
    assert (ended.returncode, ended.stderr) == (0, "")
    found = place.outcome(folder, one)
    assert (found.status, found.compared[0].verdict) == ("ok", AGREES)
    assert found.compared[0].theirs == pytest.approx(4.40e6, rel=0.002)
    assert found.trtexec is not None
    assert found.trtexec.options == TrtexecOptions(iterations=120), "what was asked for is kept with the outcome"
    assert version.startswith(found.trtexec.version)
    # 11.1 runs one query more than it is told; 100 are compared all the same.
    assert found.left_out == (21 if number == "110100" else 20)
    times = runs.crosscheck_path(folder, one).with_name(TIMES)
    assert len(json.loads(times.read_text())) == 100 + found.left_out
    for told in ("--loadEngine=model.engine", "compute, on the device", AGREES, "p99, by trtexec's rule"):
        assert told in ended.stdout
    assert str(place.results) not in runs.crosscheck_path(folder, one).read_text(), "runs get published"
    assert place.told.read_text().splitlines()[0].endswith("/engines/" + found.engine + "/model.engine")


def test_another_time_on_the_device_is_exit_1(place: Place) -> None:
    one = made.experiment()
    made.write(place.results, [one], made.rounds(one))
    ended = place.run(STAND_IN_COMPUTE_MS="6.6")
    assert ended.returncode == 1
    assert "differs" in ended.stdout


def test_each_experiment_is_told_what_it_was_itself(place: Place) -> None:
    wanted = {
        "graph": made.experiment(cuda_graph=True),
        "managed": made.experiment(io_memory="managed"),
        "throughput": made.experiment(issue_mode="throughput"),
    }
    cells = [cell for one in wanted.values() for cell in made.rounds(one)]
    folder = made.write(place.results, [*wanted.values(), made.experiment("onnxruntime", io_memory="host")], cells)
    ended = place.run()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = {name: place.outcome(folder, one) for name, one in wanted.items()}
    told = {name: set(one.trtexec.arguments) if one.trtexec is not None else set() for name, one in found.items()}
    assert "--useCudaGraph" in told["graph"]
    assert "--useManagedMemory" in told["managed"]
    assert "--useCudaGraph" not in told["managed"]
    assert "--exposeDMA" in told["managed"]
    assert "--exposeDMA" not in told["throughput"], "two inferences are under way"
    assert [row.quantity for row in found["throughput"].compared] == ["throughput"]
    assert ended.stdout.count("trtexec of TensorRT 8.5.2") == 3, "ONNX Runtime has no engine that trtexec could run"


def test_a_graph_that_could_not_be_captured_is_no_graph(place: Place) -> None:
    one = made.experiment(cuda_graph=True)
    folder = made.write(place.results, [one], made.rounds(one, 9.0))
    ended = place.run(STAND_IN_DOES="captures no graph")
    found = place.outcome(folder, one)
    assert found.trtexec is not None
    assert (ended.returncode, found.trtexec.options.cuda_graph) == (0, False)
    assert "could not capture this engine as a CUDA graph" in ended.stdout
    assert "one of the two ran with a CUDA graph" in ended.stdout


WRONG: List[Tuple[Dict[str, str], str, str, int]] = [
    ({"STAND_IN_DOES": "tells no version"}, "skipped", "does not tell its version .*'trtexec, built from source'", 3),
    ({"STAND_IN_VERSION": "120000"}, "skipped", r"is of TensorRT 12\.0\.0; .* from 8\.2\.0 up to 11\.x", 3),
    ({"STAND_IN_VERSION": "7103"}, "skipped", r"is of TensorRT 7\.1\.3; ", 3),
    ({"STAND_IN_VERSION": "100300"}, "skipped", r"built by TensorRT 8\.5\.2\.2, and trtexec is of 10\.3\.0", 3),
    ({"STAND_IN_DOES": "crashes"}, "failed", r"ended with signal 6 \(SIGABRT\)", 1),
    ({"STAND_IN_DOES": "hangs"}, "failed", r"did not end within 2 s", 1),
    ({"STAND_IN_DOES": "is cut short"}, "failed", "is no whole --exportTimes file", 1),
    ({"STAND_IN_DOES": "writes nothing"}, "failed", "ended well and left no times", 1),
    ({"STAND_IN_DOES": "runs fewer"}, "failed", "holds 90 queries, where 120 were asked for", 1),
]


@pytest.mark.parametrize(("how", "status", "reason", "code"), WRONG, ids=lambda value: str(value)[:40])
def test_what_goes_wrong_is_a_sentence_and_loses_nothing(
    place: Place, how: Dict[str, str], status: str, reason: str, code: int
) -> None:
    one = made.experiment()
    folder = made.write(place.results, [one], made.rounds(one))
    if how.get("STAND_IN_DOES") == "hangs":
        run = upgrades.read(folder / "run.json", runs.Run)
        limited = msgspec.structs.replace(run.plan, time_limit_s=2.0)
        upgrades.write(folder / "run.json", msgspec.structs.replace(run, plan=limited))
    before = {path: path.read_bytes() for path in folder.rglob("result.json")}
    ended = place.run(**how)
    found = place.outcome(folder, one)
    assert (ended.returncode, found.status) == (code, status), ended.stdout + ended.stderr
    assert re.search(reason, found.reason), found.reason
    assert re.search(reason, ended.stdout)
    assert "Traceback" not in ended.stdout + ended.stderr
    assert {path: path.read_bytes() for path in folder.rglob("result.json")} == before


def test_flags_of_another_version_are_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the stand-in is strict about: 11 accepts --useSpinWait and does nothing with it."""
    for name, value in {**place.variables, "STAND_IN_VERSION": "110000"}.items():
        monkeypatch.setenv(name, value)
    wish = TrtexecOptions(iterations=120)
    for version, unknown in (((10, 3, 0), "--useSpinWait"), ((8, 5, 2), "--streams")):
        ended = trtexec.run(trtexec.find(), trtexec.flags(version, wish), 60.0)
        assert (ended.code, f"Unknown option: {unknown}" in ended.text) == (1, True)


def test_a_host_that_is_killed_leaves_no_trtexec_behind(place: Place) -> None:
    one = made.experiment()
    made.write(place.results, [one], made.rounds(one))
    host = subprocess.Popen(
        [sys.executable, "-m", "harness", "crosscheck", "-q", "--results", str(place.results)],
        cwd=str(ROOT),
        env={**os.environ, **place.variables, "STAND_IN_DOES": "hangs"},
    )
    while not place.told.exists() or not place.told.read_text():
        time.sleep(0.05)
        assert host.poll() is None
    process = Path("/proc") / place.told.read_text()
    assert "trtexec_stand_in" in (process / "cmdline").read_text()
    host.kill()
    host.wait()
    limit = time.monotonic() + 20
    while _lives(process) and time.monotonic() < limit:
        time.sleep(0.05)
    assert not _lives(process)


def _lives(process: Path) -> bool:
    """A process that has ended and that nobody has asked for yet does not."""
    try:
        return "\nState:\tZ" not in (process / "status").read_text()
    except FileNotFoundError:
        return False


def test_an_engine_that_it_cannot_open_is_its_own_first_error(place: Place) -> None:
    one = made.experiment()
    folder = made.write(place.results, [one], made.rounds(one))
    engine = place.results / "engines" / made.ingredients(one).key() / "model.engine"
    made.overwrite(engine, engine.read_bytes().replace(b"plan", b"PLAN"))
    ended = place.run()
    assert ended.returncode == 1
    said = place.outcome(folder, one).reason
    assert re.search(r"status 1; it said: Error opening engine file: .*model\.engine", said), said
    assert str(place.results) not in said


def test_no_trtexec_is_exit_3_with_the_cure(place: Place) -> None:
    one = made.experiment()
    made.write(place.results, [one], made.rounds(one))
    ended = place.run(PATH="/usr/bin:/bin")
    assert ended.returncode == 3
    assert re.search(r"^error: nothing was checked: there is no trtexec.*apt-get install", ended.stderr, re.MULTILINE)


def test_cells_that_are_not_ok_and_engines_that_are_gone_are_skipped(place: Place) -> None:
    one, other = made.experiment(), made.experiment(cuda_graph=True)
    cells = [*made.rounds(one), made.result(other, 1, None, status="failed", reason="wrong outputs")]
    folder = made.write(place.results, [one, other], cells)
    assert place.run().returncode == 0
    assert "no cell of it ended ok" in place.outcome(folder, other).reason
    (place.results / "engines" / made.ingredients(one).key() / "engine.json").unlink()
    assert place.run().returncode == 3
    assert "is no longer in results/engines" in place.outcome(folder, one).reason


def test_a_newer_run_that_cannot_be_read_is_not_in_the_way(place: Place) -> None:
    one = made.experiment()
    folder = made.write(place.results, [one], made.rounds(one))
    other = place.results / "20261124T000000Z-broken-000000"
    run = upgrades.read(folder / "run.json", runs.Run)
    on = [msgspec.structs.replace(board, experiments=[]) for board in run.on]
    newer = msgspec.structs.replace(run, name=other.name, created_utc="2026-11-24T00:00:00.000000+00:00", on=on)
    upgrades.write(other / "run.json", newer)  # without the machine.json of its board
    ended = place.run()
    assert (ended.returncode, place.outcome(folder, one).status) == (0, "ok"), ended.stderr


def test_a_run_without_tensorrt_is_exit_2(place: Place) -> None:
    one = made.experiment("onnxruntime", io_memory="host")
    made.write(place.results, [one], made.rounds(one))
    ended = place.run()
    assert ended.returncode == 2
    assert "no run here measured no" not in ended.stderr
    assert "no run here measured a TensorRT engine" in ended.stderr


def test_a_file_from_elsewhere_needs_no_run(place: Place) -> None:
    path = ROOT / "tests" / "trtexec" / "derived-10.3-n100.json"
    ended = place.run("--times", str(path))
    assert ended.returncode == 0
    assert re.search(r"GPU Compute Time \| trtexec .*\| +4\.61795 \| +4\.63033 \|", ended.stdout)
    assert "of 100 queries trtexec's p99 is the largest" in ended.stdout
    told = json.loads(place.run("--times", str(path), "--json").stdout)
    compute = told["quantities"]["GPU Compute Time"]
    assert compute["trtexec"]["percentiles"]["99"] == pytest.approx(4.63033)
    assert compute["ours"]["p99"] == pytest.approx(4.63013, rel=1e-5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--times", "{cut}"], r"cut\.json is no whole --exportTimes file"),
        (["--times", "{nowhere}"], r"nowhere\.json: cannot be read: No such file"),
        (["--times", "{whole}", "--drop", "100"], "DROP: 100 of 100 queries leave none"),
        (["--drop", "3"], "DROP is for a file that TIMES names"),
    ],
)
def test_a_file_that_cannot_be_read_is_exit_2(place: Place, tmp_path: Path, words: List[str], message: str) -> None:
    whole = ROOT / "tests" / "trtexec" / "derived-10.3-n100.json"
    (tmp_path / "cut.json").write_bytes(whole.read_bytes()[:999])
    names = {"cut": tmp_path / "cut.json", "nowhere": tmp_path / "nowhere.json", "whole": whole}
    ended = place.run(*(word.format(**names) for word in words))
    assert ended.returncode == 2
    assert re.search(message, ended.stderr), ended.stderr
    assert "Traceback" not in ended.stderr
