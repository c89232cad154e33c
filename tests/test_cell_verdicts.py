"""What a worker says of cells whose clock or outputs went wrong while they were measured: the real `bench`, in here."""

from pathlib import Path
from typing import Callable, Iterator

import numpy
import pytest

from harness.backends._contract import Feed, Runner
from harness.host.progress import Progress
from harness.host.selfbench.ground import Ground, Place, ground
from harness.jobs import BenchJob
from harness.records import InferenceOptions, Result
from harness.records.samples import BackwardsClock
from harness.worker import bench as cells
from harness.worker.measure import Measured, measure

Measure = Callable[[Runner, Feed, InferenceOptions], Measured]


@pytest.fixture(scope="module")
def stand(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    place = Place(models_dir, tmp_path_factory.mktemp("results"), Progress(quiet=True))
    yield ground(place, "onnxruntime", "yolov5n@32")


def measured(stand: Ground, by: Measure, monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.setattr(cells, "measure", by)
    return cells.bench(
        BenchJob(
            experiment=stand.experiment,
            round=1,
            engine_dir=str(stand.engine_dir),
            ingredients=stand.ready.ingredients,
            arrays=str(stand.arrays),
            reference=stand.reference,
            tolerance=1e-4,
        )
    )


def test_a_cell_that_goes_right_is_valid_and_knows_its_tensors(stand: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    found = measured(stand, measure, monkeypatch)
    assert (found.status, found.telemetry) == ("ok", None)
    assert found.integrity is not None and found.integrity.verdict == "VALID"
    assert found.hardware is not None and found.hardware.verdict == "UNKNOWN", "nobody asked for sensors"
    images, output = 3 * 32 * 32 * 4, 3 * (4 * 4 + 2 * 2 + 1) * 85 * 4
    assert found.io_bytes == images + output


def test_outputs_that_went_wrong_while_they_were_timed(stand: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a runner that reuses memory too early: right when it was checked before, wrong at the end."""

    def spoiled(runner: Runner, feed: Feed, inference: InferenceOptions) -> Measured:
        found = measure(runner, feed, inference)
        runner.set_inputs({name: numpy.zeros_like(array) for name, array in feed.items()})
        runner.enqueue()
        runner.synchronize()
        return found

    found = measured(stand, spoiled, monkeypatch)
    assert found.status == "ok", "it is marked, not dropped"
    assert found.samples is not None
    assert found.integrity is not None and found.integrity.verdict == "INVALID"
    [cause] = found.integrity.causes
    assert cause.code == "outputs"
    assert cause.reason.startswith("after the last iteration output output0 differs from the reference by a relative")


def test_a_clock_that_steps_back_within_an_iteration(stand: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter(range(0, 10**12, 1000))

    def stepping() -> int:
        now = next(moments)
        return now - 500_000 if now > 300_000 else now

    found = measured(stand, lambda *given: measure(*given, clock=stepping), monkeypatch)
    assert found.status == "failed"
    assert found.reason.startswith("a sample is negative (-499000 ns): the clock ran backwards")
    assert found.integrity is not None and found.integrity.verdict == "INVALID"
    assert found.integrity.causes[0].advice


def test_a_clock_that_steps_back_between_iterations(stand: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a hundred iterations with five readings each, after the twenty warm-ups and what the budget reads."""
    calls = [0]

    def stepping() -> int:
        calls[0] += 1
        return calls[0] * 1000 - (100_000 if calls[0] > 400 else 0)

    offsets = {}
    for shift in range(5):  # one of five readings in a row is an iteration's first
        calls[0] = -shift
        try:
            found = measured(stand, lambda *given: measure(*given, clock=stepping), monkeypatch)
        except BackwardsClock:
            raise AssertionError("it must not leave the cell") from None
        offsets[shift] = (found.status, found.integrity.verdict if found.integrity else "")
    assert set(offsets.values()) == {("failed", "INVALID"), ("ok", "INVALID")}
    assert sum(status == "ok" for status, _ in offsets.values()) == 1
