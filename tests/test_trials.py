"""The trial log: what was appended is read again, whatever happened in between."""

import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import List

import msgspec
import pytest

from harness import trials
from harness.errors import RecordError, StorageError
from harness.records.tuning import Task, Trial
from harness.trials import LOG, Log
from tests.trial_lines import HEADER, LINES, job, log, task, trial


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
from trial_lines import HEADER, trial
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
