"""Tuning on a real CUDA device: how many trials a minute, and what six minutes from nothing gain.

    python -m harness test-gpu -k "tuning" --figures gpu.json --tuning-records FOLDER --tuning-seconds 400

The six minutes may be cut into several calls: each goes on with the log in FOLDER, and the last one compares. Without
`xgboost` the cost model is `random`, on both sides.
"""

import importlib.util
import statistics
from pathlib import Path
from typing import Any, Dict

import numpy
import pytest

from harness import backends, schedules, trials
from harness.backends._contract import Materials
from harness.host.selfbench import tuning_rate
from harness.host.selfbench.ground import Ground, Place, ground
from harness.host.selfbench.tuning_ground import Stand, stand
from harness.jobs import Tuned, VersusJob
from harness.records import InferenceOptions
from harness.records.tuning import Choice, End
from harness.trials import LOG
from harness.worker import accuracy, arrays
from harness.worker.versus import versus
from tests.gpu.figures import Figures

MODEL, SEED = "yolov5s@640", 1
COST_MODEL = "xgb" if importlib.util.find_spec("xgboost") is not None else "random"
RATE_BAR, GAIN_BAR = 10.0, 2.5
RATE_S, SEARCH_S, ROUNDS = 90.0, 360.0, 10
LEFT_S = 15.0
"""Of the search that is not worth a job of its own: one that reserved time for its end has some left."""
TOLERANCE = 1e-3
"""Largest relative RMS against ONNX Runtime."""


@pytest.fixture(scope="session")
def large(place: Place) -> Stand:
    found = stand(place, MODEL, 1)
    if found.work.inference.io_memory == "host":
        pytest.skip("TVM reaches no CUDA device here")
    return found


@pytest.mark.timeout(1800)  # TVM's own tuner takes its time
def test_trials_a_minute_are_ten_times_those_of_tvms_own_tuner(
    large: Stand, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning_rate, "COST_MODEL", COST_MODEL)
    attempt = tuning_rate.rates(large, 1, RATE_S)
    figure = tuning_rate.figure(attempt, f"{MODEL}, {COST_MODEL} cost model", RATE_BAR)
    figures.add("tuning", figure.what, figure.value, figure.unit, **attempt)
    assert figure.reached, attempt


@pytest.mark.timeout(900)
def test_six_minutes_from_nothing_make_the_engine_two_and_a_half_times_as_fast(
    large: Stand, place: Place, figures: Figures, pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    log = pytestconfig.getoption("--tuning-records") or tmp_path / "records"
    left_s = SEARCH_S - tuned_s(log)
    if left_s > LEFT_S:
        seconds = min(left_s, pytestconfig.getoption("--tuning-seconds"))
        asked = large.job(log, trials=100_000, max_seconds=seconds, threads=1, seed=SEED, cost_model=COST_MODEL)
        said(large.ask("tune", asked, Tuned), figures)
    left_s = SEARCH_S - tuned_s(log)
    if left_s > LEFT_S:
        pytest.skip(f"{left_s:.0f} s of {SEARCH_S:g} s of tuning are left: call again with the same --tuning-records")
    compared(large, ground(place, "tvm", MODEL), log / LOG, figures, tmp_path)


def tuned_s(log: Path) -> float:
    """By the clocks of all jobs of the log that ended."""
    return sum(one.seconds for one in trials.read(log / LOG).of(End)) if (log / LOG).exists() else 0.0


def said(answer: Tuned, figures: Figures) -> None:
    kept = sum(task.kept for task in answer.tasks)
    more: Dict[str, Any] = {
        "invalid": answer.invalid,
        "timed_out": answer.timed_out,
        "crashed": answer.crashed,
        "seconds": answer.seconds,
        "curve": [list(point) for point in answer.curve],
        "tasks": [[one.name, one.weight, one.trials, one.default_ns, one.best_ns, one.kept] for one in answer.tasks],
    }
    figures.add("tuning", "new trials of this call", answer.new_trials, f"in {answer.seconds:.0f} s", **more)
    figures.add("tuning", "share of that time in which the device measured", answer.measuring_share)
    figures.add("tuning", "tasks that keep a tuned schedule", f"{kept} of {len(answer.tasks)}")


def compared(large: Stand, untuned: Ground, log: Path, figures: Figures, folder: Path) -> None:
    """Both engines in one process, in rounds; the tuned one's outputs are checked before it is timed. The bar is for
    launches one by one; as CUDA graphs both are timed beside it."""
    tuned = folder / "tuned"
    tuned.mkdir()
    backend = backends.get("tvm")
    backend.build(Materials(large.work.model.path, trials=log), untuned.experiment.build, tuned)
    contents = trials.read(log)
    figures.add("tuning", "kept schedules", f"{len(schedules.chosen(contents))} of {len(contents.of(Choice))} choices")
    gains = {}
    for graph in (False, True):
        inference = InferenceOptions(threads=1, io_memory="pinned", cuda_graph=graph)
        inputs, expected = arrays.load(untuned.arrays, untuned.reference.arrays_sha256)
        with backend.load(tuned, inference) as runner:
            runner.set_inputs(inputs)
            runner.enqueue()
            runner.synchronize()
            rows = accuracy.compare({k: v.copy() for k, v in runner.get_outputs().items()}, expected)
            accuracy.check(rows, TOLERANCE)
        job = VersusJob(
            backend="tvm",
            engine_dir=str(tuned),
            other_dir=str(untuned.engine_dir),
            inference=inference,
            arrays=str(untuned.arrays),
            arrays_sha256=untuned.reference.arrays_sha256,
            rounds=ROUNDS,
            block_s=0.5,
            seed=SEED,
        )
        times = versus(job)
        ratios = numpy.array(times.other_ns) / numpy.array(times.engine_ns)
        gains[graph] = float(numpy.median(ratios))
        how = "as CUDA graphs" if graph else "launches one by one"
        figures.add("tuning", f"{MODEL} untuned, {how}", statistics.median(times.other_ns) / 1e6, "ms")
        figures.add("tuning", f"{MODEL} tuned, {how}", statistics.median(times.engine_ns) / 1e6, "ms")
        figures.add("tuning", f"untuned / tuned, {how}, median of rounds", gains[graph], rounds=list(ratios))
    assert gains[False] >= GAIN_BAR
