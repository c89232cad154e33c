"""A worker and its sampler, for real: what a cell tells beside its times, and samplers that fail in every way."""

import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Callable, Iterator, Optional

import numpy
import pytest

from harness.records import InferenceOptions
from harness.sensors import exchange
from harness.worker import watch as watches
from harness.worker.measure import measure
from harness.worker.settle import Settled, settle
from harness.worker.verdicts import of
from harness.worker.watch import Watch
from tests import sysfs
from tests.test_measure import FEED, Clock, Work

GPU = "sys/class/devfreq/17000000.gpu/cur_freq"


class Sleeper(Work):
    """An inference takes 2 ms of real time."""

    def __init__(self) -> None:
        super().__init__(Clock())
        self.count = 0

    def synchronize(self, slot: int = 0) -> None:
        self.count += 1
        time.sleep(0.002)


@pytest.fixture
def board(tmp_path: Path) -> Path:
    return sysfs.unfold("orin-nx", tmp_path / "board")


def options(**more: object) -> InferenceOptions:
    return InferenceOptions(
        **{"threads": 1, "warmup": 2, "iterations": 100, "io_memory": "pinned", "sampling_s": 0.02, **more}  # type: ignore[arg-type]
    )


def cell(  # type: ignore[no-untyped-def]
    folder: Path,
    board: Path,
    inference: InferenceOptions,
    meanwhile: Callable[[Watch], None] = lambda one: None,
    runner: Optional[Sleeper] = None,
):
    """Fields of a result, measured as `bench` measures."""
    runner = runner or Sleeper()
    with Watch(folder, inference, board) as watch:
        if inference.least_s:
            watch.rest()
        settled = settle(runner, FEED, watch, inference)
        thread = threading.Thread(target=meanwhile, args=(watch,))
        thread.start()
        measured = measure(runner, FEED, inference)
        thread.join()
        watch.end()
        return of(measured, inference, watch, settled, "", "")


def codes(verdict: object) -> list:
    return [verdict.verdict, *(cause.code for cause in verdict.causes)]  # type: ignore[attr-defined]


def test_a_locked_board_is_clean_and_its_readings_lie_around_the_iterations(tmp_path: Path, board: Path) -> None:
    found = cell(tmp_path / "sensors", board, options())
    telemetry = found["telemetry"]
    assert codes(found["integrity"]) == ["VALID"]
    assert codes(found["hardware"]) == ["CLEAN"]
    assert telemetry.settled_s < 0.4, "a held clock needs no waiting"
    assert telemetry.total == ["power/VDD_IN"]
    assert telemetry.before.power_mode == telemetry.after.power_mode == "15W (2)"
    assert telemetry.cost.cpu_s > 0
    assert telemetry.largest_gap_s < 0.2
    gpu = telemetry.channel("clock/gpu")
    assert (gpu.coverage, gpu.reason) == (1.0, "")
    off = telemetry.channel("temperature/cv0")
    assert (off.readings, off.coverage) == (0, 0.0)
    assert off.reason
    with numpy.load(str(tmp_path / "sensors" / telemetry.arrays), allow_pickle=False) as arrays:
        times = arrays["clock/gpu:t_ns"]
        assert times[0] < 0 < times[-1]
        assert (numpy.diff(times) > 0).all()
        assert set(arrays["clock/gpu:value"]) == {612e6}
        assert "temperature/cv0:value" not in arrays.files


def test_a_clock_that_falls_meanwhile_is_seen_with_the_iterations_it_fell_in(tmp_path: Path, board: Path) -> None:
    class Throttled(Sleeper):
        """By inferences, not by time: on a loaded machine these take longer."""

        def synchronize(self, slot: int = 0) -> None:
            super().synchronize(slot)
            if self.count in (100, 300):
                sysfs.put(board, GPU, 306_000_000 if self.count == 100 else 612_000_000)

    found = cell(tmp_path / "sensors", board, options(iterations=500), runner=Throttled())
    assert codes(found["hardware"]) == ["LIMITED", "clock below cap"]
    [cause] = found["hardware"].causes
    assert "fell to 50 % of the 612 MHz" in cause.reason
    assert 0.2 < cause.share < 0.6


def test_a_sensor_that_blocks_holds_up_no_iteration(tmp_path: Path, board: Path) -> None:
    def block(_: Watch) -> None:
        for path in (GPU, "sys/class/hwmon/hwmon1/in1_input", "sys/class/thermal/thermal_zone0/temp"):
            sysfs.put(board, path, "!fifo")

    runner = Sleeper()
    inference = options(iterations=500)
    with Watch(tmp_path / "sensors", inference, board) as watch:
        watch.ready()
        block(watch)
        measured = measure(runner, FEED, inference)
        start = time.monotonic()
        watch.end()
        assert time.monotonic() - start < 20
    found = of(measured, inference, watch, Settled(), "", "")
    assert max(measured.samples.compute_ns) < 0.4e9  # type: ignore[union-attr]
    assert found["telemetry"].channel("clock/gpu").reason == "did not answer within 0.5 s"
    assert codes(found["hardware"])[0] == "UNKNOWN", "nobody saw the clock"
    assert found["telemetry"].channel("clock/cpu0").coverage == 1.0


def test_a_free_clock_is_waited_for_with_work_and_not_for_ever(tmp_path: Path, board: Path) -> None:
    sysfs.put(board, "sys/class/devfreq/17000000.gpu/min_freq", 306_000_000)
    found = cell(tmp_path / "one", board, options(iterations=50))
    assert found["telemetry"].settled_s > 0.4
    assert not found["telemetry"].unsettled
    going = threading.Event()

    def restless() -> None:
        for index in range(10_000):
            # By the golden ratio: whichever of them are read, hardly two in a row are alike.
            sysfs.put(board, GPU, round(306e6 * (1 + 2 * (index * 0.618034 % 1))))
            if going.wait(0.013):
                return

    thread = threading.Thread(target=restless)
    thread.start()
    try:
        found = cell(tmp_path / "two", board, options(iterations=50, max_seconds=4.0, sampling_s=0.1))
    finally:
        going.set()
        thread.join()
    assert found["telemetry"].unsettled
    assert 0.9 < found["telemetry"].settled_s < 4, "a quarter of the budget, not all of it"
    assert "clock not settled" in codes(found["hardware"])


def test_a_gpu_of_which_nobody_knows_what_to_expect_is_waited_for_too(tmp_path: Path, board: Path) -> None:
    """As NVML tells it: a clock, and no limits."""
    for path in ("min_freq", "max_freq"):
        (board / "sys/class/devfreq/17000000.gpu" / path).unlink()
    (board / "etc/nvpmodel.conf").unlink()
    found = cell(tmp_path / "one", board, options(iterations=20))
    [limits] = [one for one in found["telemetry"].before.clocks if one.name == "gpu"]
    assert limits.expected_hz is None
    assert found["telemetry"].settled_s > 0.4
    assert not found["telemetry"].unsettled


def test_energy_has_its_rest_before_the_load(tmp_path: Path, board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "IDLE_S", 0.3)
    found = cell(tmp_path / "sensors", board, options(min_seconds=0.5, iterations=10))
    begin, end = found["telemetry"].idle_ns
    assert 0.29e9 < end - begin < 60e9
    assert end < 0
    assert codes(found["integrity"]) == ["VALID"]
    bare = cell(tmp_path / "bare", tmp_path / "nowhere", options(min_seconds=0.2, iterations=10))
    assert bare["telemetry"].idle_ns == [], "nothing tells power here, so nobody waits"
    assert codes(bare["hardware"])[0] == "UNKNOWN"


def test_sensors_that_are_left_alone_say_nothing(tmp_path: Path) -> None:
    for watch in (Watch(tmp_path / "sensors", options(sampling_s=0)), Watch(None, options())):
        with watch:
            pass
        assert watch.telemetry(0, 1)[0] is None
    assert not (tmp_path / "sensors").exists()


# --- samplers that fail


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Puts a program in place of the sampler's interpreter."""

    def replace(script: str) -> None:
        path = tmp_path / "interpreter"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(path))

    yield replace


def test_a_sampler_that_dies_at_once_costs_its_telemetry_only(tmp_path: Path, board: Path, broken) -> None:  # type: ignore[no-untyped-def]
    broken("exit 7")
    found = cell(tmp_path / "sensors", board, options())
    assert found["telemetry"].reason == "the sampler ended with status 7"
    assert found["telemetry"].channels == []
    assert codes(found["integrity"]) == ["VALID"], "in so short a cell"
    assert codes(found["hardware"])[0] == "UNKNOWN"


def test_a_sampler_that_cannot_be_started(tmp_path: Path, board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))
    assert cell(tmp_path / "sensors", board, options())["telemetry"].reason.startswith("the sampler could not be start")


def test_a_sampler_that_never_answers_and_never_ends(
    tmp_path: Path,
    board: Path,
    broken,
    monkeypatch: pytest.MonkeyPatch,  # type: ignore[no-untyped-def]
) -> None:
    monkeypatch.setattr(watches, "START_LIMIT_S", 0.3)
    monkeypatch.setattr(watches, "END_LIMIT_S", 0.3)
    broken("exec sleep 60")
    start = time.monotonic()
    found = cell(tmp_path / "sensors", board, options())
    assert time.monotonic() - start < 30
    assert found["telemetry"].reason == "the sampler did not end"


def test_a_sampler_that_is_killed_in_mid_run_is_a_gap(tmp_path: Path, board: Path) -> None:
    def kill(watch: Watch) -> None:
        time.sleep(0.3)
        assert watch._process is not None
        os.kill(watch._process.pid, signal.SIGKILL)

    found = cell(tmp_path / "sensors", board, options(iterations=1000), kill)
    assert found["telemetry"].reason == "the sampler ended with status -9"
    assert codes(found["integrity"]) == ["INVALID", "sensor gap"]
    assert found["telemetry"].arrays, "what it had seen is kept"


def test_a_folder_that_vanishes_costs_the_telemetry_only(tmp_path: Path, board: Path) -> None:
    def remove(_: Watch) -> None:
        shutil.rmtree(str(tmp_path / "sensors"))

    found = cell(tmp_path / "sensors", board, options(), remove)
    assert found["telemetry"].reason == "the sampler's log is gone"
    assert codes(found["hardware"])[0] == "UNKNOWN"


def test_a_started_record_that_is_garbage(tmp_path: Path, board: Path, broken) -> None:  # type: ignore[no-untyped-def]
    broken(f'cd "$3"; echo "{{}}" > {exchange.STARTED}; echo 1 > {exchange.LOG}; read line')
    found = cell(tmp_path / "sensors", board, options())
    assert "started.json cannot be read" in found["telemetry"].reason
