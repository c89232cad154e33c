"""The cache follows the files: what is read again, what damage does, and what happens where it cannot be had."""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Iterator, List

import duckdb
import numpy
import pytest

from harness.host.cli import main
from harness.host.history import cache, changes, query, reading
from harness.host.options import ROOT
from tests.example_run import ended
from tests.history.nights import ORT, measured, night, write


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> List[str]:
    """Names of the runs that are read, as it happens."""
    names: List[str] = []
    really = reading.read

    def told(results: Path, name: str) -> reading.Reading:
        names.append(name)
        return really(results, name)

    monkeypatch.setattr(reading, "read", told)
    return names


def points(results: Path, said: "List[str] | None" = None) -> Any:
    found, damage = cache.asked(results, (said if said is not None else []).append, lambda each: query.select(each, {}))
    return found, damage


def names(results: Path) -> List[str]:
    found, _ = points(results)
    return sorted({one.run for each in found.values() for one in each})


def test_only_what_changed_is_read_again(tmp_path: Path, read: List[str]) -> None:
    for number in range(3):
        night(tmp_path, number)
    assert names(tmp_path) == ["night-00", "night-01", "night-02"]
    assert sorted(read) == ["night-00", "night-01", "night-02"]
    read.clear()
    names(tmp_path)
    assert read == []
    night(tmp_path, 1, 1.2)
    night(tmp_path, 3)
    assert names(tmp_path) == ["night-00", "night-01", "night-02", "night-03"]
    assert sorted(read) == ["night-01", "night-03"]
    read.clear()
    (tmp_path / "night-00").rename(tmp_path / ".away")
    (tmp_path / "night-02" / "run.json").unlink()
    assert names(tmp_path) == [".away", "night-01", "night-03"]
    assert read == [".away"]


def test_a_result_that_comes_later_and_one_that_goes_are_seen(tmp_path: Path) -> None:
    folder = night(tmp_path, 0)
    path = next(folder.glob("local/*tvm*/5/result.json"))
    kept = path.read_bytes()
    path.unlink()
    assert [each[0].rounds for each in points(tmp_path)[0].values()] == [5, 4]
    path.write_bytes(kept)
    assert [each[0].rounds for each in points(tmp_path)[0].values()] == [5, 5]


def test_a_file_edited_by_hand_to_the_same_size_is_seen_named_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = night(tmp_path, 0)
    names(tmp_path)
    path = next(folder.glob("local/*tvm*/2/result.json"))
    with path.open("r+b") as file:
        data = file.read().replace(b'"elapsed_s": 3', b'"elapsed_s": 4')
        file.seek(0)
        file.write(data)
    found, damage = points(tmp_path)
    assert [each[0].rounds for each in found.values()] == [5, 4]
    assert len(damage) == 1
    assert damage[0].startswith("night-00: local/yolov5n@320-tvm")
    assert "was changed after it was written" in damage[0]
    for _ in range(2):  # damage is told every time, not only when it is found
        assert main(["history", "--results", str(tmp_path)]) == 0
        assert "history: left out: night-00: local/yolov5n@320-tvm" in capsys.readouterr().err
    assert "was changed after it was written" in (tmp_path / "history.md").read_text()


@pytest.mark.parametrize("file", ["run.json", "local/machine.json"])
@pytest.mark.parametrize("missing", [False, True])
def test_a_damaged_run_is_named_and_the_others_count(tmp_path: Path, file: str, missing: bool) -> None:
    for number in range(2):
        night(tmp_path, number)
    path = tmp_path / "night-01" / file
    if missing:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:100])
    found, damage = points(tmp_path)
    assert {one.run for each in found.values() for one in each} == {"night-00"}
    if missing and file == "run.json":  # then it is no run
        assert damage == []
    else:
        (text,) = damage
        assert text.startswith(f"night-01: {file}{': No such file' if missing else ' is not JSON'}")


def test_nothing_but_damage_is_an_error_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (night(tmp_path, 0) / "run.json").write_text("{")
    assert main(["history", "--results", str(tmp_path)]) == 2
    assert "no run can be read: night-00: run.json is not JSON" in capsys.readouterr().err


def test_a_folder_that_may_not_be_read_is_named_and_the_others_count() -> None:
    if os.geteuid():
        pytest.skip("only root can become somebody who may read less")
    with tempfile.TemporaryDirectory() as place:  # not below pytest's own folders, which nobody else may enter
        results = Path(place)
        for number in range(2):
            night(results, number)
        os.chown(place, 65534, 65534)
        (results / "night-01").chmod(0o700)
        os.seteuid(65534)
        try:
            found, damage = points(results)
        finally:
            os.seteuid(0)
    assert {one.run for each in found.values() for one in each} == {"night-00"}
    assert damage == ["night-01: run.json: Permission denied"]


def damaged(data: bytes, kind: str, chance: random.Random) -> bytes:
    if kind == "cut":
        return data[: chance.randrange(len(data))]
    if kind == "other":
        return bytes(chance.randrange(256) for _ in range(5000))
    start = chance.randrange(len(data) - 4096)
    return data[:start] + bytes(chance.randrange(256) for _ in range(4096)) + data[start + 4096 :]


@pytest.mark.parametrize("kind", ["cut", "other", "overwritten"])
def test_a_damaged_cache_is_made_anew_with_a_line(tmp_path: Path, kind: str) -> None:
    for number in range(3):
        night(tmp_path, number)
    right, path, chance, anew = points(tmp_path)[0], tmp_path / cache.NAME, random.Random(kind), 0
    whole = path.read_bytes()
    for _ in range(20):
        path.write_bytes(damaged(whole, kind, chance))
        said: List[str] = []
        assert points(tmp_path, said)[0] == right
        assert said in ([], ["history: the cache was damaged or of another version; it is made anew"])
        anew += bool(said)
    assert anew > 5, "most damage lay where nothing is kept"


def test_a_cache_of_another_version_is_made_anew(tmp_path: Path, read: List[str]) -> None:
    night(tmp_path, 0)
    names(tmp_path)
    connection = duckdb.connect(str(tmp_path / cache.NAME))
    connection.execute("UPDATE made_by SET layout = 'older'")
    connection.close()
    said: List[str] = []
    points(tmp_path, said)
    assert said == ["history: the cache was damaged or of another version; it is made anew"]
    assert read == ["night-00", "night-00"]


def test_a_first_call_that_is_stopped_keeps_what_it_read(
    tmp_path: Path, read: List[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        night(tmp_path, number)
    monkeypatch.setattr(cache, "AT_ONCE", 2)

    def stopped(text: str) -> None:
        if "run 5 of 6" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.asked(tmp_path, stopped, lambda each: None)
    read.clear()
    assert len(names(tmp_path)) == 6
    assert read == ["night-04", "night-05"]


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """Results on a disk that is mounted read-only after they were written."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(place)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("this user may not mount a disk")
    for number in range(3):
        night(place, number)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("cached", [False, True])
def test_a_read_only_folder_is_read_without_a_cache(
    read_only: Path, capsys: pytest.CaptureFixture, cached: bool
) -> None:
    if cached:
        names(read_only)
    subprocess.run(["mount", "-o", "remount,ro", str(read_only)], check=True)
    assert main(["history", "--results", str(read_only)]) == 0
    out, err = capsys.readouterr()
    assert "night-02 | 2026-01-07" in out
    assert "every run is read" in err
    assert "cannot be written" in err
    assert "written:" not in out
    assert (read_only / cache.NAME).exists() is cached


def test_a_cache_that_another_process_holds_is_waited_for_then_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night(tmp_path, 0)
    names(tmp_path)
    hold = "import duckdb, sys; it = duckdb.connect(sys.argv[1]); print(1, flush=True); sys.stdin.read()"
    words = [sys.executable, "-c", hold, str(tmp_path / cache.NAME)]
    holder = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdin is not None
    assert holder.stdout is not None
    holder.stdout.readline()
    monkeypatch.setattr(cache, "PATIENCE_S", 0.5)
    said: List[str] = []
    begin = time.monotonic()
    assert len(points(tmp_path, said)[0]) == 2
    assert time.monotonic() - begin >= 0.5
    assert len(said) == 1
    assert "another process has it): every run is read" in said[0]
    holder.stdin.close()
    holder.wait()
    holder.stdout.close()
    said.clear()
    assert len(points(tmp_path, said)[0]) == 2
    assert said == []


def test_several_calls_at_once_all_answer(tmp_path: Path) -> None:
    for number in range(4):
        night(tmp_path, number)
    words = [sys.executable, "-m", "harness", "history", "--json", "--results", str(tmp_path)]
    started = [subprocess.Popen(words, cwd=str(ROOT), stdout=subprocess.PIPE) for _ in range(3)]
    answers = [json.loads(one.communicate(timeout=120)[0]) for one in started]
    assert [one.returncode for one in started] == [0, 0, 0]
    assert answers[0] == answers[1] == answers[2]
    assert len(answers[0]["series"][0]["runs"]) == 4


def test_what_a_run_is_held_against_is_the_pooled_rounds_of_the_last_ten_earlier_ones(tmp_path: Path) -> None:
    chance = numpy.random.RandomState(9)
    for number in range(14):
        rows = measured(ORT, chance.normal(1, 0.01), number, rounds=int(chance.randint(2, 7)))
        if number == 5:
            rows = [ended(ORT, one, "crashed", "ended by signal 11") for one in range(1, 6)]
        write(tmp_path, number, rows, [ORT])
    every, _ = cache.asked(tmp_path, print, lambda each: each.execute(changes.QUERY).fetchall())
    found = sorted(changes.held(every))
    logs = {name: numpy.log(reading.read(tmp_path, name).rows[0].times_ns) for name, *_ in found}
    for place, one in enumerate(found):
        before = [logs[each.run] for each in found[:place] if len(logs[each.run])][-10:]
        assert (one.own is None) is (place == 5)
        if not before or place == 5:
            assert one.earlier is None
            continue
        pooled, means = numpy.concatenate(before), [each.mean() for each in before]
        assert one.earlier is not None
        assert (one.earlier.runs, one.earlier.rounds.n) == (len(before), len(pooled))
        assert one.earlier.rounds.mean == pytest.approx(pooled.mean(), rel=1e-12)
        assert one.earlier.rounds.variance == pytest.approx(pooled.var(ddof=1), rel=1e-6)
        assert len(means) == 1 or one.earlier.run_variance == pytest.approx(numpy.var(means, ddof=1), rel=1e-6)
    assert found[13].earlier is not None
    assert found[13].earlier.runs == 10


def test_what_was_not_worked_out_before_a_call_was_stopped_is_by_the_next(tmp_path: Path) -> None:
    for number in range(4):
        night(tmp_path, number)
    right = points(tmp_path)[0]
    connection = duckdb.connect(str(tmp_path / cache.NAME))
    connection.execute("DELETE FROM changed WHERE run = 'night-02'")
    connection.close()
    assert points(tmp_path)[0] == right


def test_a_run_that_goes_is_held_against_no_more(tmp_path: Path) -> None:
    for number in range(4):
        night(tmp_path, number)
    points(tmp_path)
    (tmp_path / "night-01" / "run.json").unlink()
    for each in points(tmp_path)[0].values():
        assert [(one.run, one.earlier_runs) for one in each] == [("night-00", 0), ("night-02", 1), ("night-03", 2)]
