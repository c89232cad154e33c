"""The trial log: what was appended is read again, whatever happened in between; and which schedules it leads to."""

import random
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import List

import msgspec
import pytest

from harness import schedules, trials
from harness.errors import RecordError, StorageError
from harness.records.tuning import Choice, Default, End, Header, Job, Line, Task, Trial
from harness.trials import LOG, Log

HEADER = Header(
    model="tiny", model_sha256="ab" * 32, precision="fp32", batch=1, target="x86-64-v3", version="0.25.0 (ffi 0.1)"
)


def job(name: str = "a1", started: str = "2026-01-01T00:00:00+00:00", seed: int = 1, form: str = "plain") -> Job:
    return Job(
        job=name,
        started_utc=started,
        trials=9,
        max_seconds=60,
        seed=seed,
        strategy="evolutionary",
        cost_model="xgb",
        threads=2,
        machine="a processor",
        form=form,
    )


def task(name: str) -> Task:
    return Task(task=name, name=f"conv_{name}", weight=2, workload=f"workload of {name}")


def trial(name: str, trace: str, *times: float, job: str = "a1", seconds: float = 1.0) -> Trial:
    return Trial(job=job, task=name, trace=trace, args_info="[]", target="llvm", times_ns=list(times), seconds=seconds)


def choice(name: str, trace: str, default: float, tuned: float, kept: bool = True, job: str = "a1") -> Choice:
    return Choice(
        job=job,
        task=name,
        trace_sha256=schedules.trace_hash(trace),
        trials=3,
        default_ns=[default] * 3,
        tuned_ns=[tuned] * 3,
        kept=kept,
        why="" if kept else "not faster",
    )


def end(job: str = "a1", count: int = 3, seconds: float = 60.0) -> End:
    return End(job=job, trials=count, invalid=1, timed_out=0, crashed=0, seconds=seconds, measuring_seconds=30.0)


def log(folder: Path, *lines: Line, header: Header = HEADER) -> Path:
    with Log.open(folder, header) as opened:
        opened.append(*lines)
    return folder / LOG


LINES: List[Line] = [job(), task("t1"), Default(job="a1", task="t1", times_ns=[9.5, 9.0, 9.25]), trial("t1", "x", 5.0)]


def test_what_was_appended_is_read_in_its_order(tmp_path: Path) -> None:
    path = log(tmp_path, *LINES)
    with Log.open(tmp_path, HEADER) as again:
        assert again.contents.lines == LINES
        again.append(task("t1"), trial("t1", "y", 4.0))  # a task is said once
    found = trials.read(path)
    assert found.header == HEADER
    assert found.lines == [*LINES, trial("t1", "y", 4.0)]
    assert found.dropped == []


@pytest.mark.parametrize("left", [1, 40, 150])
def test_a_torn_last_line_is_dropped_and_said(tmp_path: Path, left: int) -> None:
    path = log(tmp_path, *LINES)
    whole = path.read_bytes()
    path.write_bytes(whole + trials.encode(trial("t1", "y" * 200, 4.0))[:left])
    assert trials.read(path).lines == LINES  # a reader leaves it alone
    assert path.stat().st_size == len(whole) + left
    with Log.open(tmp_path, HEADER) as again:
        assert again.contents.lines == LINES
        assert len(again.contents.dropped) == 1
        assert f"torn ({left} bytes)" in again.contents.dropped[0]
        again.append(trial("t1", "z", 3.0))
    assert trials.read(path).lines == [*LINES, trial("t1", "z", 3.0)]


def test_a_line_torn_by_another_process_meanwhile_is_cut_off_before_the_next(tmp_path: Path) -> None:
    with Log.open(tmp_path, HEADER) as opened:
        with (tmp_path / LOG).open("ab") as other:
            other.write(b"0011 {half a li")
        opened.append(*LINES)
    assert trials.read(tmp_path / LOG).lines == LINES


def test_a_damaged_line_is_named_and_the_others_are_kept(tmp_path: Path) -> None:
    path = log(tmp_path, *LINES)
    lines = path.read_bytes().split(b"\n")
    lines[3] = lines[3].replace(b"9.25", b"1.25")
    path.write_bytes(b"\n".join(lines))
    found = trials.read(path)
    assert found.lines == [LINES[0], LINES[1], LINES[3]]
    assert len(found.dropped) == 1
    assert "line 4 is damaged (its checksum differs)" in found.dropped[0]


@pytest.mark.parametrize("data", [b"", b"hello\n", b"0" * 100, b"\x00" * 64 + b"\n", b"\n\n"])
def test_what_is_no_log_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / LOG).write_bytes(data)
    with pytest.raises(RecordError, match="does not say what its trials are of"):
        trials.read(tmp_path / LOG)


def test_a_newer_log_is_refused_by_its_schema(tmp_path: Path) -> None:
    text = trials.encode(HEADER)[9:-1].replace(b'"schema":1', b'"schema":7,"colour":"red"')
    (tmp_path / LOG).write_bytes(b"%08x %s\n" % (trials.zlib.crc32(text), text))
    with pytest.raises(RecordError, match="newer harness \\(schema 7"):
        trials.read(tmp_path / LOG)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": "0.26.0"}, "the version of TVM is 0.25.0 (ffi 0.1) there and 0.26.0 here"),
        ({"target": "znver3"}, "target is x86-64-v3 there and znver3 here"),
        ({"model_sha256": "cd" * 32}, "the model's bytes is abababababab there and cdcdcdcdcdcd here"),
        ({"precision": "fp16", "batch": 2}, "precision is fp32 there and fp16 here; batch is 1 there and 2 here"),
    ],
)
def test_records_of_something_else_are_refused_by_what_differs(tmp_path: Path, change: dict, words: str) -> None:
    path = log(tmp_path / "one", *LINES)
    before = path.read_bytes()
    other = msgspec.structs.replace(HEADER, **change)
    with pytest.raises(RecordError) as caught:
        Log.open(tmp_path / "one", other)
    assert words in str(caught.value)
    log(tmp_path / "two", header=other)
    with pytest.raises(RecordError, match="something else"):
        trials.merge([path], tmp_path / "two")
    assert path.read_bytes() == before
    assert trials.read(tmp_path / "two" / LOG).lines == []


def test_merged_logs_hold_every_measurement_once(tmp_path: Path) -> None:
    one = log(tmp_path / "one", *LINES)
    two = log(tmp_path / "two", job(), task("t1"), trial("t1", "x", 5.0), trial("t1", "x", 5.5), trial("t1", "y", 4.0))
    count, merged = trials.merge([one, two], tmp_path / "into")
    assert count == 3
    assert merged.of(Trial) == [trial("t1", "x", 5.0), trial("t1", "x", 5.5), trial("t1", "y", 4.0)]
    assert merged.of(Task) == [task("t1")]
    assert trials.merge([one, two], tmp_path / "into")[0] == 0
    assert trials.read(tmp_path / "into" / LOG) == merged


def test_the_choice_does_not_depend_on_the_order_of_lines(tmp_path: Path) -> None:
    lines: List[Line] = [
        job("a1", "2026-01-01T00:00:00+00:00", seed=1),
        job("b2", "2026-01-02T00:00:00+00:00", seed=7),
        task("t1"),
        task("t2"),
        *(trial(name, trace, 5.0) for name in ("t1", "t2") for trace in "xyz"),
        choice("t1", "x", 10.0, 8.0),
        choice("t1", "y", 10.0, 6.0, job="b2"),
        choice("t1", "z", 10.0, 1.0, kept=False),
        choice("t2", "x", 10.0, 5.0),
        choice("t2", "x", 10.0, 9.9, kept=False, job="b2"),  # the newer measurement of the same schedule counts
        end("a1", 3, 60.0),
    ]
    found_tunings = []
    for seed in range(8):
        random.Random(seed).shuffle(lines)
        contents = trials.read(log(tmp_path / str(seed), *lines))
        found = schedules.chosen(contents)
        assert [(one.task.task, one.trial.trace, one.tuned_ns) for one in found] == [("t1", "y", 6.0)]
        found_tunings.append(schedules.tuning(contents))
        assert schedules.tuning(schedules.compact(contents)).records_sha256 == schedules.records_sha256(contents)
    assert all(one == found_tunings[0] for one in found_tunings)
    assert found_tunings[0].seeds == [1, 7]
    other = trials.read(log(tmp_path / "other", *lines, choice("t2", "y", 10.0, 2.0)))
    assert schedules.records_sha256(other) != found_tunings[0].records_sha256


def test_trials_and_time_of_all_jobs_are_counted(tmp_path: Path) -> None:
    killed = trial("t1", "k", 5.0, job="b2", seconds=12.5)
    path = log(tmp_path, *LINES, end("a1", 40, 60.0), job("b2"), killed)
    found = schedules.tuning(trials.read(path))
    assert (found.trials, found.seconds) == (41, 72.5)
    assert found.words().startswith("41 trials in 72 s, seed 1, records ")
    assert (
        msgspec.structs.replace(found, seconds=600, seeds=[1, 2]).words().startswith("41 trials in 10 min, seeds 1, 2")
    )


def test_schedules_of_another_form_of_the_graph_are_left_alone(tmp_path: Path) -> None:
    plain, newer = job("a1"), job("b2", "2026-01-02T00:00:00+00:00", form="nhwc")
    lines = [plain, newer, task("t1"), task("t2"), trial("t1", "x", 1.0), trial("t2", "y", 1.0, job="b2")]
    lines += [choice("t1", "x", 9.0, 1.0), choice("t2", "y", 9.0, 1.0, job="b2"), end("a1"), end("b2")]
    contents = trials.read(log(tmp_path, *lines))
    assert [one.task.task for one in schedules.chosen(contents)] == ["t2"]
    assert schedules.tuning(contents).words().startswith("nhwc, 6 trials in 2 min")


def test_a_job_that_was_killed_leaves_its_trials_to_choose_from(tmp_path: Path) -> None:
    lines = [job(), task("t1"), Default(job="a1", task="t1", times_ns=[100.0, 101.0, 102.0])]
    path = log(tmp_path, *lines, trial("t1", "x", 60.0, 61.0, 60.5), trial("t1", "y", 99.0, 99.5, 98.9))
    assert [one.trial.trace for one in schedules.chosen(trials.read(path))] == ["x"]


@pytest.mark.parametrize(
    ("default", "tuned", "why"),
    [
        ([100, 101, 102], [90, 90.1, 90.2], ""),
        ([100, 101, 102], [99, 99.1, 99.2], "not more than twice the spread"),
        ([100, 101, 102], [120, 121, 122], "not faster"),
        ([100, 101], [50, 51, 52], "fewer than 3 times"),
        ([100, 101, 102, 700, 900], [90, 90.1, 90.2, 95, 300], ""),
        ([100, 101, 500, 700, 900], [90, 90.1, 90.2, 95, 300], "not more than twice the spread"),
        ([100, 101, 102], [40, 80, 120], "not more than twice the spread"),
    ],
)
def test_a_schedule_is_kept_only_for_a_gain_above_the_spread(default: list, tuned: list, why: str) -> None:
    found = schedules.why_not(default, tuned)
    assert (why in found) if why else (found == "")


@pytest.mark.parametrize("times", [[], [0.0], [float("nan")], [float("inf")], [-1.0]])
def test_what_is_no_time_is_no_trial(times: List[float]) -> None:
    with pytest.raises(ValueError, match="numbers above zero"):
        trial("t1", "x", *times)


def test_a_disk_that_fills_up_loses_nothing_and_says_so(tmp_path: Path) -> None:
    path = log(tmp_path, *LINES)
    before = path.read_bytes()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with Log.open(tmp_path, HEADER) as opened:
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, limit[1]))  # room for a part of the line
            with pytest.raises(StorageError, match="every trial that had ended is kept"):
                opened.append(trial("t1", "y" * 200, 4.0))
            assert path.read_bytes() == before
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
            opened.append(trial("t1", "z", 3.0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
    assert trials.read(path).lines == [*LINES, trial("t1", "z", 3.0)]


WRITER = """
import sys
from pathlib import Path
from harness.trials import Log
from test_trials import HEADER, trial
with Log.open(Path(sys.argv[1]), HEADER) as log:
    for number in range(int(sys.argv[3])):
        log.append(trial("t1", f"{sys.argv[2]}-{number}" + "x" * 5000, 1.0))
        print(number, flush=True)
"""


def writer(folder: Path, name: str, count: int) -> "subprocess.Popen[str]":
    paths = [str(Path(trials.__file__).parents[1]), str(Path(__file__).parent)]
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), name, str(count)],
        env={"PYTHONPATH": ":".join(paths), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_processes_append_to_one_log(tmp_path: Path) -> None:
    both = [writer(tmp_path, name, 40) for name in ("one", "two")]
    assert [one.wait(60) for one in both] == [0, 0]
    for one in both:
        assert one.stdout is not None
        one.stdout.close()
    found = trials.read(tmp_path / LOG)
    wanted = {f"{name}-{number}" for name in ("one", "two") for number in range(40)}
    assert {one.trace.rstrip("x") for one in found.of(Trial)} == wanted
    assert found.dropped == []


def test_a_writer_that_is_killed_loses_no_trial_it_had_told_of(tmp_path: Path) -> None:
    running = writer(tmp_path, "one", 10_000)
    assert running.stdout is not None
    for _ in range(20):
        running.stdout.readline()
    running.kill()
    told = 20 + len(running.stdout.readlines())
    running.wait(60)
    running.stdout.close()
    with Log.open(tmp_path, HEADER) as again:
        assert len(again.contents.of(Trial)) >= told
