"""Sensors in containers of a real engine: without rights, a network or anything to write but the cell's own volume."""

from pathlib import Path

import msgspec

from harness.host import readings, runs
from tests.docker.conftest import PLAN, Measure


def test_every_cell_is_watched_and_its_readings_are_fetched(measure: Measure, tmp_path: Path, clean: None) -> None:
    plan = msgspec.structs.replace(PLAN, iterations=2000, max_seconds=2.0, sampling_s=0.05, rounds=1)
    outcome = measure(plan)
    assert outcome.counts == {"ok": 2}
    for found in runs.load_one(outcome.folder).results:
        telemetry = found.telemetry
        assert telemetry is not None
        assert telemetry.reason == ""
        assert telemetry.cost is not None
        assert telemetry.clock_ratio is None or abs(telemetry.clock_ratio - 1) < 1e-3
        assert found.integrity is not None and found.integrity.verdict == "VALID"
        assert {one.name for one in telemetry.channels if one.readings} >= {"memory/available", "cpu_time/worker"}
        folder = runs.result_path(outcome.folder, found.experiment, found.round).parent
        columns = readings.load(telemetry, folder)
        worker = columns["cpu_time/worker"]
        assert worker.t_ns[0] < 0 < worker.t_ns[-1]
        if found.experiment.build.backend == "onnxruntime":
            assert worker.value[-1] - worker.value[0] > 0.5, "it is the measured process that is looked at"
        assert {path.name for path in folder.iterdir()} == {"result.json", telemetry.arrays}
