"""The self-test for real on this CPU; its checks on times that must fail them; and what may stand in an issue."""

import os
import re
import shutil
import socket
import sys
from pathlib import Path
from typing import Any, List, Optional, Tuple

import msgspec
import onnx
import pytest
from onnx import TensorProto, helper

from harness.host import boards, runs
from harness.host.cli import main
from harness.host.crosscheck.outcome import AGREES, DIFFERS, LAUNCH, Compared, Crosscheck
from harness.host.doctor.finding import Finding
from harness.host.runs import RunData
from harness.host.selftest import cells, clocks, opinions, paste, sensing, story
from harness.host.selftest.line import CROSSCHECK, DOCTOR, ENGINE, FAILED, MEMORY, OK, SKIPPED, Line, merged, unproved
from harness.records import (
    Accuracy,
    BackendFacts,
    BoardState,
    BuildOptions,
    Channel,
    Experiment,
    OutputAccuracy,
    Result,
    SamplerCost,
    Telemetry,
)
from harness.records.verdict import INVALID, Cause, heaviest
from tests import tensorrt_run as made

ROOT = Path(__file__).resolve().parents[1]
ROW = re.compile(
    r"^\| (?P<part>[^|]*) \| (?P<what>[^|]*) \| (?P<result>ok|skipped|failed) \| (?P<text>.*) \|$", re.MULTILINE
)


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    for path in (ROOT / "models").glob("*.toml"):
        shutil.copy(str(path), str(folder))
    return folder


def selftest(tmp_path: Path, *words: str) -> int:
    small = ["--backends", "onnxruntime", "--precisions", "fp32,fp16,int8", "--model", "yolov5n@32"]
    places = ["--results", str(tmp_path / "results"), "--models-dir", str(tmp_path / "models")]
    return main(["selftest", "-q", "--jetpack", "none", *small, *places, *words])


def rows(text: str) -> List[Tuple[str, str, str, str]]:
    return [found.groups() for found in ROW.finditer(text)]  # type: ignore[misc]


def test_on_a_cpu_it_does_what_a_cpu_can_and_says_what_takes_a_board(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert selftest(tmp_path) == 0
    text = capsys.readouterr().out
    found = {(part, what): (result, said) for part, what, result, said in rows(text)}
    for model in ("yolov5n@64", "yolov5n@32"):
        for precision in ("fp32", "fp16"):
            result, said = found[ENGINE, f"{model} onnxruntime {precision}"]
            assert result == OK
            assert re.search(r"outputs differ by \S+ \(relative RMS.*; host \S+ ms \(medians of \d+\); 60 layers", said)
    assert found[ENGINE, "yolov5n@64 onnxruntime int8, yolov5n@32 onnxruntime int8"] == (
        SKIPPED,
        "onnxruntime builds fp16, fp32 here, not int8",
    )
    assert found[MEMORY, "yolov5n@64 onnxruntime fp32 managed"][0] == SKIPPED
    assert found["clock", "order"][0] == OK
    assert found["device timer", "any backend"] == (SKIPPED, clocks.NO_DEVICE_CLOCK)
    assert found[DOCTOR, "onnxruntime"][0] == OK
    read = [said for (part, what), (result, said) in found.items() if part == "sensor" and "memory/available" in what]
    assert re.match(r"read in \d+ of \d+ cells, bytes from proc/meminfo", read[0])
    assert "is not proved: TensorRT, I/O memory, issue mode, CUDA graph, device timer, crosscheck." in text
    assert re.search(r"^\d+ ok, \d+ skipped, 0 failed\.$", text, re.MULTILINE)
    kept = next((tmp_path / "results").glob("*/selftest.md"))
    assert kept.read_text() == text, "what is kept is what was printed"
    for secret in (str(tmp_path), str(ROOT), f"{Path.home()}/"):
        assert secret not in text
    assert not re.search(rf"(?<![\w-]){re.escape(socket.gethostname())}(?![\w-])", text)


SMALL = """title = "One model"
rounds = 1
[[experiments]]
models = ["yolov5n@64"]
backends = ["onnxruntime"]
precisions = ["fp32", "fp16"]
"""


def test_wrong_outputs_are_exit_1_and_everything_else_is_still_tried(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    manifest = models_dir / "yolov5n.toml"
    strict = '\n[tolerance.fp16]\nrelative_rms = 1e-9\nreason = "no half precision keeps this"\n'
    manifest.write_text(manifest.read_text() + strict)
    (tmp_path / "plan.toml").write_text(SMALL)
    assert selftest(tmp_path, "--plan", str(tmp_path / "plan.toml"), "--precisions", "fp16,fp32") == 1
    found = {(part, what): (result, said) for part, what, result, said in rows(capsys.readouterr().out)}
    result, said = found[ENGINE, "yolov5n@64 onnxruntime fp16"]
    assert result == FAILED
    assert re.search(r"output output0 differs .* relative RMS of \S+, allowed is 1e-09", said)
    assert found[ENGINE, "yolov5n@64 onnxruntime fp32"][0] == OK


def test_a_board_that_cannot_be_opened_still_gets_its_table(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    assert selftest(tmp_path, "--jetpack", "cpu") == 1
    found = rows(capsys.readouterr().out)
    assert [result for part, _, result, _ in found if part == "run"] == [FAILED]
    assert any(part == DOCTOR and result == OK for part, _, result, _ in found)


IDENTITY = """title = "Every way of running one engine"
rounds = 1
max_seconds = 3
[[experiments]]
models = ["{model}"]
backends = ["tensorrt"]
precisions = ["fp32", "int8"]
[[experiments]]
models = ["{model}"]
backends = ["tensorrt"]
io_memory = ["mapped", "managed"]
[[experiments]]
models = ["{model}"]
backends = ["tensorrt"]
issue_modes = ["throughput"]
[[experiments]]
models = ["{model}"]
backends = ["tensorrt"]
cuda_graph = [true]
"""


def identity(folder: Path) -> Path:
    """Three colours in, the same out: what the stand-in's engines compute is right for it."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 64, 64]) for name in ("x", "y"))
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "identity", [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7), folder / "copy.onnx")
    return folder / "copy.onnx"


def test_over_stand_ins_every_part_of_tensorrt_and_trtexec_is_proved(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers, TensorRT's backend and trtexec as on a board; TensorRT and the device below it are stand-ins."""
    for name, module in (("python", "tests.worker_over_stand_in 10.3"), ("trtexec", "tests.trtexec_stand_in")):
        (tmp_path / name).write_text(f'#!/bin/sh\ncd {ROOT} && exec {sys.executable} -m {module} "$@"\n')
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for name, value in (("VERSION", "100300"), ("COMPUTE_MS", "0.001"), ("TOLD", str(tmp_path / "told"))):
        monkeypatch.setenv(f"STAND_IN_{name}", value)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    (tmp_path / "plan.toml").write_text(IDENTITY.format(model=identity(tmp_path)))
    words = ["--plan", str(tmp_path / "plan.toml"), "--backends", "tensorrt", "--jetpack", "none", "-q"]
    code = main(["selftest", *words, "--results", str(tmp_path / "results"), "--models-dir", str(models_dir)])
    text = capsys.readouterr().out
    assert (code, [row for row in rows(text) if row[2] == FAILED]) == (0, []), text
    proved = {part for part, _, result, _ in rows(text) if result == OK}
    assert proved >= {ENGINE, MEMORY, "issue mode", "CUDA graph", "device timer", CROSSCHECK, "sensor"}, text
    assert "is not proved" not in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--board", "local,local"], "BOARD: one at a time"),
        (["--model", "yolov5q"], "unknown model 'yolov5q'"),
        (["--backends", "tensort"], "unknown backend 'tensort'"),
        (["--precisions", "fp23"], "PRECISIONS: unknown precision 'fp23'"),
    ],
)
def test_what_the_user_must_change_is_exit_2(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture, words: List[str], message: str
) -> None:
    assert selftest(tmp_path, *words) == 2
    assert message in capsys.readouterr().err


def test_every_backend_is_tried_and_the_users_model_takes_the_real_ones_place(tmp_path: Path) -> None:
    given: Any = dict.fromkeys(("plan", "model", "backends", "precisions", "calibration", "jetpack"))
    given.update(models_dir=ROOT / "models", results=ROOT / "results", board=["local"])
    plan = story.asked(given, str(tmp_path)).plan
    assert plan.calibration == str(tmp_path)
    assert {name for block in plan.experiments for name in block.backends} == {"onnxruntime", "tvm", "tensorrt"}
    assert plan.experiments[0].precisions == ["fp32", "tf32", "fp16", "int8"]
    assert plan.experiments[0].models == ["yolov5n@64", "yolov5n"]
    assert {name for block in plan.experiments for name in block.io_memory} >= {"pinned", "mapped", "managed"}
    asked = story.asked({**given, "model": ["yolov5s"], "backends": ["tvm"]}, str(tmp_path))
    assert asked.command == "make selftest MODEL=yolov5s BACKENDS=tvm", "not where its images happened to lie"
    other = asked.plan
    assert [block.models for block in other.experiments] == [["yolov5n@64", "yolov5s"], *[["yolov5n@64"]] * 3]
    assert {name for block in other.experiments for name in block.backends} == {"tvm"}


def data(tmp_path: Path, *more: Result) -> RunData:
    """A run of TensorRT cells that keep every rule, in a tiny and a real model, and of `more`."""
    tiny, real = (msgspec.structs.replace(made.experiment(), build=build(model)) for model in ("tiny", "real"))
    both = made.experiment(issue_mode="throughput")
    graph, mapped = made.experiment(cuda_graph=True), made.experiment(io_memory="mapped")
    results = [made.result(tiny, 1, made.latency(0.6, 0.5)), made.result(real, 1, made.latency(4.6, 4.5))]
    results += [made.result(graph, 1, made.latency(4.6, 4.5)), made.result(mapped, 1, made.latency(4.6, 4.5))]
    results.append(made.result(both, 1, overlapping(both.inference.slots)))
    experiments = [one.experiment for one in (*results, *more)]
    found = runs.load_one(made.write(tmp_path, experiments, [*results, *more]))
    facts = BackendFacts(available=True, version="8.5.2.2", io_memory=["pinned", "mapped", "managed"])
    machine = msgspec.structs.replace(found.machine, backends={"tensorrt": facts}, timer_step_ns=40)
    return msgspec.structs.replace(found, machine=machine)


def build(model: str, precision: str = "fp32") -> BuildOptions:
    return BuildOptions(model=model, backend="tensorrt", precision=precision)


def overlapping(slots: int, count: int = 20) -> Any:
    samples = made.throughput(200.0, count)
    ends = [*samples.start_ns[slots:], *(samples.start_ns[-1] + step for step in range(1, slots + 1))]
    return msgspec.structs.replace(samples, end_ns=ends)


def changed(found: RunData, of: Experiment, **columns: Any) -> RunData:
    """With other columns in the samples of one experiment."""
    results = [
        msgspec.structs.replace(one, samples=msgspec.structs.replace(one.samples, **columns))
        if one.experiment == of and one.samples is not None
        else one
        for one in found.results
    ]
    return msgspec.structs.replace(found, results=results)


def failures(lines: List[Line]) -> List[str]:
    return [f"{line.part}, {line.what}: {line.text}" for line in lines if line.status == FAILED]


def test_times_that_keep_every_rule_pass_each_of_them(tmp_path: Path) -> None:
    found = clocks.lines(data(tmp_path))
    assert failures(found) == []
    assert {(line.part, line.what) for line in found} == {
        ("clock", "step"),
        ("clock", "order"),
        ("issue mode", "yolov5n tensorrt fp32 pinned throughput, slots"),
        ("device timer", "tensorrt runs"),
        ("device timer", "tensorrt tells models apart"),
    }


def test_each_rule_is_broken_by_times_that_break_it(tmp_path: Path) -> None:
    found = data(tmp_path)
    by_name = {cells.name(one.experiment): one.experiment for one in found.results}
    real, both = by_name["real tensorrt fp32 pinned"], by_name["yolov5n tensorrt fp32 pinned throughput"]
    broken = [
        (changed(found, real, device_ns=[4_700_000] * 100), r"4700000 ns on the device, 4600000 ns on the host's"),
        (changed(found, real, device_ns=[0, *[4_500_000] * 99]), "an inference took 0 ns"),
        (changed(found, real, device_ns=[400_000] * 100), r"tells models apart: fp32: tiny 0\.5\S* ms, real 0\.4"),
        (changed(found, real, start_ns=[index * 4_000_000 for index in range(100)]), "starts before one has ended"),
        (
            changed(found, both, end_ns=[one + 12_000_000 for one in both_starts(found, both)]),
            "took a slot that was still used",
        ),
        (changed(found, both, end_ns=list(both_starts(found, both))), "0 of 20 overlap the next"),
    ]
    for one, message in broken:
        said = failures(clocks.lines(one))
        assert len(said) == 1, said
        assert re.search(message, said[0]), said
    coarse = msgspec.structs.replace(found.machine, timer_step_ns=2_000)
    assert failures(clocks.lines(msgspec.structs.replace(found, machine=coarse))) == [
        "clock, step: steps by 2000 ns; the most is 1000"
    ]


def both_starts(found: RunData, both: Experiment) -> List[int]:
    return next(list(one.samples.start_ns) for one in found.results if one.experiment == both and one.samples)


def test_a_device_time_as_long_as_the_hosts_is_within_what_two_clocks_allow(tmp_path: Path) -> None:
    found = data(tmp_path)
    real = next(one.experiment for one in found.results if one.experiment.build.model == "real")
    assert failures(clocks.lines(changed(found, real, device_ns=[4_640_000] * 100))) == []


def test_cells_become_lines_of_their_part_with_what_was_found(tmp_path: Path) -> None:
    int8 = msgspec.structs.replace(made.experiment(), build=build("real", "int8"))
    crashed = msgspec.structs.replace(made.experiment(), build=build("real", "fp16"))
    accuracy = Accuracy(
        reference="r", tolerance=0.5, outputs=[OutputAccuracy(output="o", max_abs=1, relative_rms=0.03, cosine=1)]
    )
    more = [
        made.result(int8, 1, made.latency(2.0, 1.9), accuracy=accuracy),
        made.result(crashed, 1, None, status="crashed", reason="ended by signal 9"),
    ]
    found = {(line.part, line.what): line for line in cells.lines(data(tmp_path, *more))}
    assert found[ENGINE, "tiny tensorrt fp32 pinned"].text.startswith("device 0.500")
    assert found[MEMORY, "yolov5n tensorrt fp32 mapped"].status == OK
    assert found["CUDA graph", "yolov5n tensorrt fp32 pinned"].status == OK
    assert found["issue mode", "yolov5n tensorrt fp32 pinned throughput"].text.startswith("210.5 inferences a second")
    text = found[ENGINE, "real tensorrt int8 pinned"].text
    assert text.startswith("outputs differ by 0.03 (relative RMS, allowed 0.5); calibrated with made-up images")
    assert found[ENGINE, "real tensorrt fp16 pinned"][2:] == (FAILED, "crashed: ended by signal 9")
    assert len(found) == 7


def sensed(one: Result, **more: Any) -> Result:
    channels = [
        Channel(name="power/VDD_IN", what="", unit="mW", source="ina3221", readings=9, coverage=1.0),
        Channel(name="clock/gpu", what="", unit="Hz", source="devfreq", reason="no devfreq"),
    ]
    states = {
        name: BoardState(locked=locked, locked_reason="gpu moves", power_mode="MAXN (0)")
        for name, locked in {"before": True, "after": True, **more}.items()
    }
    return msgspec.structs.replace(
        one, telemetry=Telemetry(interval_s=0.1, sweeps=9, largest_gap_s=0.1, channels=channels, **states)
    )


def test_sensors_are_read_or_say_why_not_and_bad_times_are_no_proof(tmp_path: Path) -> None:
    found = data(tmp_path)
    assert [line.status for line in sensing.lines(found)] == [SKIPPED]
    heavy = heaviest("VALID", [Cause(code="steal", weight=INVALID, reason="the hypervisor took half")])
    results = [sensed(one) for one in found.results]
    for at, (cpu_s, wall_s, slowest_s) in enumerate([(0.02, 0.1, 0.2), (0.03, 3.0, 0.1)]):
        cost = SamplerCost(cpu_s=cpu_s, wall_s=wall_s, start_cpu_s=0.1, worst_sweep_s=slowest_s)
        telemetry = msgspec.structs.replace(results[at].telemetry, cost=cost)
        results[at] = msgspec.structs.replace(results[at], telemetry=telemetry)
    index = next(i for i, one in enumerate(results) if one.experiment.build.model == "tiny")
    results[index] = msgspec.structs.replace(results[index], integrity=heavy, hardware=heaviest("CLEAN", []))
    lines = sensing.lines(msgspec.structs.replace(found, results=results))
    said = {line.what: (line.status, line.text) for line in lines}
    assert said["power/VDD_IN"] == (OK, "read in 5 of 5 cells, mW from ina3221")
    assert said["clock/gpu"] == (SKIPPED, "no devfreq")
    assert (said["power mode"], said["clocks held"]) == ((OK, "MAXN (0)"), (OK, "yes"))
    assert said["what sensing takes"] == (OK, "1.0% of one CPU over 3 s, slowest sweep 0.2 s")
    assert said["times of tiny tensorrt fp32 pinned"] == (SKIPPED, "not to be believed: the hypervisor took half")
    assert said["times"] == (OK, "to be believed in 0 of 1 cells")
    assert said["hardware"] == (OK, "CLEAN (1 cells)")


@pytest.mark.parametrize(("before", "after", "held"), [(True, True, True), (True, False, False), (None, True, False)])
def test_clocks_are_held_where_no_cell_saw_one_that_could_move(
    tmp_path: Path, before: Optional[bool], after: Optional[bool], held: bool
) -> None:
    found = data(tmp_path)
    assert not sensing.clocks_held(found), "nobody looked"
    results = [sensed(found.results[0]), sensed(found.results[1], before=before, after=after)]
    assert sensing.clocks_held(msgspec.structs.replace(found, results=results)) is held


def outcome(*verdicts: str, status: str = "ok", reason: str = "") -> Crosscheck:
    rows = [
        Compared(
            quantity="compute", statistic="median", unit="ns", ours=4e6, low=4e6, high=4e6, theirs=4e6, verdict=one
        )
        for one in verdicts
    ]
    return Crosscheck(
        run="r", experiment=made.experiment(), engine="k", created_utc="", status=status, reason=reason, compared=rows
    )


def test_a_difference_from_trtexec_fails_only_where_clocks_are_locked() -> None:
    for verdict, locked, status in (
        (AGREES, True, OK),
        (LAUNCH, True, OK),
        (DIFFERS, True, FAILED),
        (DIFFERS, False, SKIPPED),
        ("", True, OK),
    ):
        (line,) = opinions.crosscheck([outcome(verdict)], locked)
        assert (line.part, line.status) == (CROSSCHECK, status), verdict
    assert opinions.UNLOCKED in opinions.crosscheck([outcome(DIFFERS)], False)[0].text
    for status, expected in (("skipped", SKIPPED), ("failed", FAILED), ("crashed", FAILED)):
        (line,) = opinions.crosscheck([outcome(status=status, reason="why")], True)
        assert (line.status, line.text) == (expected, "why")
    locked, free = Finding.ok("clocks", "locked"), Finding.note("clocks", "they move", "sudo jetson_clocks")
    assert (opinions.clocks_locked([locked]), opinions.clocks_locked([free]), opinions.clocks_locked([])) == (
        True,
        False,
        False,
    )


def test_the_doctors_problems_are_failures_and_its_notes_are_not() -> None:
    found = [Finding.ok("disk", "1 GB"), Finding.note("swap", "none", "add some"), Finding.problem("csv", "x", "y")]
    found.append(Finding.note("tensorrt", "skipped: not installed"))
    assert [(line.status, line.text) for line in opinions.doctor(found)] == [
        (OK, "1 GB"),
        (OK, "note: none; cure: add some"),
        (FAILED, "x; cure: y"),
        (SKIPPED, "not installed"),
    ]


def test_lines_with_one_reason_are_one_and_what_never_ran_is_named() -> None:
    lines = [
        Line(ENGINE, "a tensorrt fp32", SKIPPED, "no"),
        Line(CROSSCHECK, "t", OK, ""),
        Line(ENGINE, "b", SKIPPED, "no"),
    ]
    assert merged(lines)[0] == Line(ENGINE, "a tensorrt fp32, b", SKIPPED, "no")
    assert unproved(lines) == ["TensorRT", "I/O memory", "issue mode", "CUDA graph", "device timer"]
    assert "TensorRT" not in unproved([Line(ENGINE, "a tensorrt fp32", FAILED, "outputs")])


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("engine at /data/me/results/x.engine: no", "engine at <path>: no"),
        ("LD_LIBRARY_PATH /usr/lib:/home/me/lib", "LD_LIBRARY_PATH /usr/lib:<path>"),
        ("below ~/src/harness", "below <path>"),
        ("cure: sudo cp /etc/x /swapfile", "cure: sudo cp /etc/x <path>"),
        ("ssh://me@10.0.0.3:22 does not answer", "<address> does not answer"),
        ("card 3c:6d:66:01:02:03", "card <address>"),
        ("ssh: connect to host 10.9.8.7 port 22: orin-lab", "ssh: connect to host <machine> port 22: <machine>"),
        ("built by 10.3.0.26, runs 8.5.2.2, x86_64/6a93, 1/2 done, and/or", None),
    ],
)
def test_nothing_in_it_tells_whose_machine_it_was(
    said: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "boards.toml").write_text('[orin-lab]\ndocker = "ssh://me@10.9.8.7"\n')
    entries = boards.entries(tmp_path / "boards.toml")
    monkeypatch.setattr(boards, "entries", lambda: entries)
    assert paste.clean(said) == (shown or said)
