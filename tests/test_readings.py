"""Readings beside their results: fetched, checked against what the result names, lost in words and never silently."""

import io
import zipfile
from pathlib import Path
from typing import Dict, Optional

import msgspec
import numpy
import pytest

from harness import upgrades
from harness.errors import RecordError, RefusedArchive
from harness.host import readings, runs
from harness.records import Channel, Result, Telemetry
from harness.sensors import series
from harness.sensors.series import Column, Series
from tests import example_run
from tests.example_run import experiment, result
from tests.small_bench import PLAN, measured, request

SERIES = Series([-5, 5], {"power/VDD_IN": Column([-4, 6], [10.0, 20.5])})


@pytest.fixture
def written(tmp_path: Path) -> Dict[str, bytes]:
    """A worker's folder."""
    name, _ = series.save(SERIES, tmp_path / "worker")
    return {f"sensors/{name}": (tmp_path / "worker" / name).read_bytes()}


def told(written: Dict[str, bytes], **change: object) -> Telemetry:
    import hashlib

    [(path, data)] = written.items()
    values = {
        "interval_s": 0.1,
        "sweeps": 2,
        "largest_gap_s": 0.1,
        "channels": [Channel(name="power/VDD_IN", what="", unit="mW", source="")],
        "arrays": path.split("/")[1],
        "arrays_sha256": hashlib.sha256(data).hexdigest(),
        **change,
    }
    return Telemetry(**values)  # type: ignore[arg-type]


def one(telemetry: Optional[Telemetry]) -> Result:
    return result(experiment("onnxruntime"), 2, telemetry=telemetry)


def test_readings_are_kept_beside_the_result_and_read_again(written: Dict[str, bytes], tmp_path: Path) -> None:
    kept = readings.keep(one(told(written)), written.get, tmp_path / "cell")
    assert kept == one(told(written))
    assert kept.telemetry is not None
    columns = readings.load(kept.telemetry, tmp_path / "cell")
    assert columns["power/VDD_IN"].t_ns.tolist() == [-4, 6]
    assert columns["power/VDD_IN"].value.tolist() == [10.0, 20.5]


def test_a_result_without_readings_stays_as_it_is(tmp_path: Path) -> None:
    bare = Telemetry(interval_s=0.1, sweeps=0, largest_gap_s=None, channels=[])
    for telemetry in (None, bare):
        assert readings.keep(one(telemetry), {}.get, tmp_path / "cell") == one(telemetry)
    assert readings.load(bare, tmp_path) == {}
    assert not (tmp_path / "cell").exists()


def refused(_: str) -> bytes:
    raise RefusedArchive("a container's answer was refused: member 'x' is a pipe, not a file")


@pytest.mark.parametrize(
    ("read", "why"),
    [
        ({}.get, "not there any more"),
        (lambda name: b"other bytes", "not those that the result names"),
        (refused, "is a pipe, not a file"),
    ],
)
def test_readings_that_are_lost_or_others_cost_the_cell_nothing_else(
    read: readings.Read, why: str, written: Dict[str, bytes], tmp_path: Path
) -> None:
    before = one(told(written, reason="the sampler did not end"))
    kept = readings.keep(before, read, tmp_path / "cell")
    assert kept.telemetry is not None
    assert (kept.telemetry.arrays, kept.telemetry.arrays_sha256) == ("", "")
    assert kept.telemetry.reason.startswith("the sampler did not end; the readings were")
    assert why in kept.telemetry.reason
    assert kept.samples == before.samples
    assert not (tmp_path / "cell").exists()


@pytest.mark.parametrize("name", ["../../away.npz", "/etc/passwd", "a/b.npz"])
def test_a_name_from_a_container_is_no_path_here(name: str, written: Dict[str, bytes], tmp_path: Path) -> None:
    asked = []

    def read(path: str) -> Optional[bytes]:
        asked.append(path)
        return written.get(path)

    kept = readings.keep(one(told(written, arrays=name)), read, tmp_path / "cell")
    assert asked == list(written)
    assert kept.telemetry is not None
    assert (tmp_path / "cell" / kept.telemetry.arrays).exists()
    assert kept.telemetry.arrays == next(iter(written)).split("/")[1]
    forged = readings.keep(one(told(written, arrays_sha256="../../../x")), read, tmp_path / "other")
    assert asked[-1] == "sensors/none.npz"
    assert forged.telemetry is not None and not forged.telemetry.arrays


def test_a_file_that_was_changed_or_is_gone_is_named(written: Dict[str, bytes], tmp_path: Path) -> None:
    telemetry = told(written)
    with pytest.raises(RecordError, match="is gone: what sensors told of this cell cannot be shown"):
        readings.load(telemetry, tmp_path)
    (tmp_path / telemetry.arrays).write_bytes(b"something else")
    with pytest.raises(RecordError, match="was changed after it was written"):
        readings.load(telemetry, tmp_path)


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\x03\x04 cut"])
def test_a_file_that_is_no_archive_is_named(data: bytes, tmp_path: Path) -> None:
    telemetry = told({"sensors/x.npz": data})
    (tmp_path / readings.name(telemetry)).write_bytes(data)
    with pytest.raises(RecordError, match="is no file of readings"):
        readings.load(telemetry, tmp_path)


def test_a_file_that_unfolds_to_more_than_any_sampler_writes_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for index in range(6):
            archive.writestr(f"{index}.npy", bytes(100 << 20))
    telemetry = told({"sensors/x.npz": buffer.getvalue()})
    (tmp_path / readings.name(telemetry)).write_bytes(buffer.getvalue())
    with pytest.raises(RecordError, match="more than 512 MiB"):
        readings.load(telemetry, tmp_path)


def test_pickles_are_not_read(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    numpy.savez(buffer, **{"power/VDD_IN:t_ns": numpy.array([{}], object), "power/VDD_IN:value": numpy.zeros(1)})  # type: ignore[arg-type]
    telemetry = told({"sensors/x.npz": buffer.getvalue()})
    (tmp_path / readings.name(telemetry)).write_bytes(buffer.getvalue())
    with pytest.raises(RecordError, match="is no file of readings"):
        readings.load(telemetry, tmp_path)


def test_a_result_that_was_left_on_a_board_is_taken_with_its_readings(
    written: Dict[str, bytes], tmp_path: Path
) -> None:
    planned = experiment("onnxruntime")
    folder = example_run.write(tmp_path / "results" / "r", [], [planned], rounds=3)
    assert runs.take(tmp_path / "results", "r", one(told(written)), written.get)
    path = runs.result_path(folder, planned, 2)
    stored = upgrades.read(path, Result).telemetry
    assert stored is not None
    assert readings.load(stored, path.parent).keys() == {"power/VDD_IN"}


def test_every_cell_of_a_bench_says_what_was_seen_of_it(finished: Path) -> None:
    """For real, on this machine, whatever it tells."""
    results = runs.load_one(finished / "mine").results
    assert len(results) == 4
    for found in results:
        telemetry = found.telemetry
        assert telemetry is not None
        assert telemetry.sweeps >= 2, "one before the iterations, one after them"
        assert telemetry.reason == ""
        assert telemetry.cost is not None
        assert found.integrity is not None and found.integrity.verdict == "VALID"
        assert found.hardware is not None and found.hardware.causes
        assert telemetry.channel("memory/available").coverage == 1.0  # type: ignore[union-attr]
        assert all(one.readings or one.reason for one in telemetry.channels)
        columns = readings.load(telemetry, runs.result_path(finished / "mine", found.experiment, found.round).parent)
        assert columns["memory/available"].t_ns[0] < 0 < columns["memory/available"].t_ns[-1]
        assert (found.io_bytes or 0) > 0


def test_sampling_that_is_off_leaves_nothing_behind(models_dir: Path, ready: Path) -> None:
    plan = msgspec.structs.replace(PLAN, sampling_s=0.0, rounds=1)
    outcome = measured(request(models_dir, ready, plan))
    assert outcome.counts == {"ok": 2}
    for found in runs.load_one(outcome.folder).results:
        assert found.telemetry is None
        assert found.hardware is not None and found.hardware.causes[0].code == "not watched"
    assert not list(outcome.folder.rglob("*.npz"))
