"""The log of readings and what is derived from a column: known values, cut ends, counters that wrap."""

import hashlib
import math
from pathlib import Path

import numpy
import pytest

from harness.sensors import series
from harness.sensors.series import SWEEP, Column, entry

MS = 1_000_000


def log(path: Path, *entries: bytes, more: bytes = b"") -> Path:
    path.write_bytes(b"".join(entries) + more)
    return path


def test_entries_come_back_as_columns_since_the_origin(tmp_path: Path) -> None:
    path = log(
        tmp_path / "log",
        *(entry(SWEEP, 1000, 0), entry(0, 1001, 5.5), entry(1, 1002, 7)),
        *(entry(SWEEP, 2000, 0), entry(0, 2001, math.nan), entry(1, 2002, 8), entry(9, 2003, 1)),
    )
    found = series.read(path, ["power/a", "clock/b", "fan/c"], 1500)
    assert list(found.sweeps_ns) == [-500, 500]
    assert {name: (list(one.t_ns), list(one.value)) for name, one in found.columns.items()} == {
        "power/a": ([-499], [5.5]),
        "clock/b": ([-498, 502], [7, 8]),
    }, "what is no number and what has no name are left out"
    assert found.kind("clock").keys() == {"clock/b"}
    assert found.column("fan/c") == Column([], [])


@pytest.mark.parametrize("cut", range(1, series.ENTRY.size))
def test_a_last_entry_that_is_cut_short_is_left_out(cut: int, tmp_path: Path) -> None:
    path = log(tmp_path / "log", entry(0, 1, 2.0), more=entry(0, 3, 4.0)[:cut])
    assert list(series.read(path, ["a"]).column("a").value) == [2.0]


def test_no_log_is_an_empty_series(tmp_path: Path) -> None:
    assert series.read(tmp_path / "none", ["a"]).columns == {}


def test_the_file_is_named_by_its_content_and_numpy_reads_it(tmp_path: Path) -> None:
    found = series.Series([-5, 5], {"power/VDD_IN": Column([-4, 6], [10.0, 20.5])})
    name, sha256 = series.save(found, tmp_path)
    assert name == f"{sha256[:16]}.npz"
    assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == sha256
    with numpy.load(str(tmp_path / name), allow_pickle=False) as arrays:
        assert arrays["sweeps:t_ns"].tolist() == [-5, 5]
        assert arrays["power/VDD_IN:t_ns"].tolist() == [-4, 6]
        assert arrays["power/VDD_IN:value"].tolist() == [10.0, 20.5]
    assert series.save(found, tmp_path) == (name, sha256)


def test_update_interval_is_the_median_between_changes() -> None:
    polled = range(0, 1000 * MS, 10 * MS)  # every 10 ms, of a sensor that moves every 60 ms
    assert series.update_s(Column(list(polled), [at // (60 * MS) for at in polled])) == pytest.approx(0.06)
    assert series.update_s(Column(list(polled), [5.0] * 100)) is None, "what never moved tells no interval"
    assert series.update_s(Column([0, 1], [1.0, 2.0])) is None


@pytest.mark.parametrize(
    ("times", "gap"),
    [
        ([], None),
        ([-100, 0, 100, 200, 300, 400, 500], 100),
        ([0, 100, 400, 500], 300),
        ([-900, 100, 200, 300, 400, 500], 1000),  # it reaches in from before
        ([-100, 0, 100], 400),  # nothing until the end, and no sweep after it
        ([-100, 0, 100, 900], 800),
    ],
)
def test_the_largest_gap_between_sweeps(times: list, gap: float) -> None:
    found = series.largest_gap_s([at * MS for at in times], 0, 500 * MS)
    assert found == (None if gap is None else pytest.approx(gap / 1000))


def test_counters_are_deltas_that_wrap_and_a_reset_is_unknown() -> None:
    wrapped = Column([0, 1, 2], [2.0**32 - 6, 2.0**32 - 1, 4])
    assert series.deltas(wrapped, 2.0**32) == [(0, 1, 5), (1, 2, 5)]
    reset = Column([0, 1, 2], [90.0, 0.0, 3.0])
    assert series.deltas(reset, 2.0**32) == [(1, 2, 3)], "set back from the lower half: it did not wrap"
    assert series.deltas(Column([0, 1], [5.0, 2.0]), None) == []
    rapl = Column([0, 1], [262143328840.0, 10.0])
    assert series.deltas(rapl, 262143328850) == [(0, 1, 20)]
