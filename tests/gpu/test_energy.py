"""Energy and verdicts of a real engine on a real device, by a whole run: sensors beside it, host and device time."""

from pathlib import Path
from typing import List, Tuple

import numpy
import pytest

from harness import backends
from harness.host import readings, runs
from harness.host.plan import Block, Plan
from harness.host.readings import Columns
from harness.host.stats import energy
from harness.records import LatencySamples, Result
from tests.gpu.figures import Figures
from tests.small_bench import measured, request

MODEL, SECONDS = "yolov5s@640", 5.0


@pytest.fixture(scope="module")
def cells(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> List[Tuple[Result, Columns]]:
    """Every cell of the engine, with what sensors told of it."""
    pytest.importorskip("pynvml", reason="the package nvidia-ml-py is not installed")
    try:
        backends.get("tvm").version()
    except Exception as error:
        pytest.skip(str(error))
    block = Block(models=[MODEL], backends=["tvm"], threads=[1], io_memory=["pinned"], precisions=["fp32", "fp16"])
    plan = Plan(title="energy", experiments=[block], rounds=3, warmup=20, iterations=100, min_seconds=SECONDS)
    folder = measured(request(models_dir, tmp_path_factory.mktemp("results"), plan)).folder
    found = [one for one in runs.load_one(folder).results if one.experiment.build.backend == "tvm"]
    assert len(found) == 6
    for one in found:
        assert one.status == "ok", one.reason
        assert one.telemetry is not None
    return [(one, _columns(folder, one)) for one in found]


def _columns(folder: Path, one: Result) -> Columns:
    assert one.telemetry is not None
    return readings.load(one.telemetry, runs.result_path(folder, one.experiment, one.round).parent)


def test_every_cell_tells_its_energy_above_what_the_board_takes_at_rest(
    cells: List[Tuple[Result, Columns]], figures: Figures
) -> None:
    for one, columns in cells:
        assert one.integrity is not None
        assert one.integrity.verdict == "VALID", one.integrity
        told = energy.of_cell(one, columns)
        assert isinstance(told, energy.Energy), told
        assert told.idle_w is not None
        assert told.above_idle_j is not None, told.above_idle_reason
        # What it takes is the power it draws times the time it lasts, and more than at rest.
        assert isinstance(one.samples, LatencySamples)
        mean_s = float(numpy.mean(one.samples.total_ns())) / 1e9
        assert told.gross_j == pytest.approx(told.power_w * mean_s, rel=0.05)
        assert told.power_w > told.idle_w
        precision = one.experiment.build.precision
        row = [told.gross_j, told.gross_u_j, told.above_idle_j, told.above_idle_u_j or 0.0, told.power_w, told.idle_w]
        figures.add(f"energy {precision}", f"round {one.round}: J gross, +-, J above idle, +-, W, W at rest", row)


def test_what_held_the_clock_back_is_said(cells: List[Tuple[Result, Columns]], figures: Figures) -> None:
    for one, columns in cells:
        assert one.hardware is not None
        assert len(columns["reasons/gpu"].value) >= SECONDS * 8
        causes = [f"{cause.weight} {cause.code}: {cause.reason}" for cause in one.hardware.causes]
        figures.add(
            f"hardware {one.experiment.build.precision}",
            f"round {one.round}: {one.hardware.verdict}; {'; '.join(causes)}; bits seen, most",
            [float(columns["reasons/gpu"].value.max())],
        )


def test_device_time_lies_inside_host_time(cells: List[Tuple[Result, Columns]], figures: Figures) -> None:
    for one, _ in cells:
        assert isinstance(one.samples, LatencySamples)
        assert one.samples.device_ns is not None
        device, compute = numpy.array(one.samples.device_ns), numpy.array(one.samples.compute_ns)
        assert (device <= compute).mean() > 0.99
        medians = [float(numpy.median(compute)) / 1e6, float(numpy.median(device)) / 1e6]
        figures.add(f"time {one.experiment.build.precision}", f"round {one.round}: host, device", medians, "ms")
