"""The sampler as it runs: a process of its own on a tree whose files vanish, break, block and come back."""

import errno
import json
import math
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Iterator, List

import pytest

from harness import upgrades
from harness.sensors import exchange, series
from harness.sensors.channel import Sensor
from harness.sensors.sampler import Sampler
from tests import sysfs

ROOT = Path(__file__).resolve().parents[2]
RAIL = "sys/class/hwmon/hwmon1/curr1_input"


class Running:
    def __init__(self, folder: Path, root: str, interval_s: float = 0.02) -> None:
        self.folder = folder
        folder.mkdir()
        upgrades.write(folder / exchange.JOB, exchange.SamplerJob(interval_s=interval_s, worker=os.getpid(), root=root))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "harness.sensors", str(folder)], cwd=str(ROOT), stdin=subprocess.PIPE
        )

    def wait_for_sweeps(self, count: int) -> None:
        """More than there are now."""
        there = len(self.series().sweeps_ns) if (self.folder / exchange.STARTED).exists() else 0
        for _ in range(1000):
            if (self.folder / exchange.STARTED).exists() and len(self.series().sweeps_ns) >= there + count:
                return
            time.sleep(0.01)
        raise AssertionError("no sweeps in time")

    def started(self) -> exchange.Started:
        return upgrades.read(self.folder / exchange.STARTED, exchange.Started)

    def series(self) -> series.Series:
        return series.read(self.folder / exchange.LOG, [one.name for one in self.started().channels])

    def end(self) -> exchange.Ended:
        assert self.process.stdin is not None
        self.process.stdin.write(exchange.STOP)
        self.process.stdin.close()
        assert self.process.wait(10) == 0
        return upgrades.read(self.folder / exchange.ENDED, exchange.Ended)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    sysfs.unfold("orin-nx", tmp_path / "root")
    found = Running(tmp_path / "sampler", str(tmp_path / "root"))
    yield found
    if found.process.poll() is None:
        found.process.kill()
        found.process.wait()
    if found.process.stdin is not None:
        found.process.stdin.close()


def test_it_samples_until_it_is_told_to_stop(running: Running) -> None:
    running.wait_for_sweeps(10)
    before = time.perf_counter_ns()
    ended = running.end()
    found = running.series()
    assert found.sweeps_ns[-1] >= before, "the last sweep comes after the word to stop: the end lies between readings"
    apart = [late - early for early, late in zip(found.sweeps_ns, found.sweeps_ns[1:])]
    assert 18e6 < sorted(apart[:-1])[len(apart) // 2] < 100e6, "on time, or late where the machine is busy; never early"
    rail = found.column("power/VDD_IN")
    assert len(rail.value) == len(found.sweeps_ns)
    assert set(rail.value) == {5056 * 1128 / 1000}
    assert running.started().before.power_mode == ended.after.power_mode == "15W (2)"
    assert 0 < ended.cost.cpu_s < ended.cost.wall_s
    assert ended.clock_ratio is None or ended.clock_ratio == pytest.approx(1, abs=1e-3)
    assert "temperature/cv0" in ended.reasons
    assert "temperature/cv0" not in found.columns


def test_a_node_that_vanishes_in_mid_run_is_a_reason_and_the_others_go_on(running: Running, tmp_path: Path) -> None:
    running.wait_for_sweeps(5)
    (tmp_path / "root" / RAIL).unlink()
    running.wait_for_sweeps(10)
    ended = running.end()
    found = running.series()
    assert ended.reasons["power/VDD_IN"] == "is not there"
    assert 5 <= len(found.column("power/VDD_IN").value) <= len(found.sweeps_ns) - 8
    assert len(found.column("power/VDD_SOC").value) == len(found.sweeps_ns)


def test_a_node_that_becomes_a_pipe_that_blocks_holds_nobody_up_for_long(running: Running, tmp_path: Path) -> None:
    running.wait_for_sweeps(5)
    sysfs.put(tmp_path / "root", RAIL, "!fifo")
    running.wait_for_sweeps(30)
    ended = running.end()  # within its limit: a thread that hangs does not hold up the end
    found = running.series()
    assert ended.reasons["power/VDD_IN"] == "did not answer within 0.5 s"
    # Two channels read this node: they are given up on in one sweep, or in two if it changed between their readings.
    gaps = [late - early for early, late in zip(found.sweeps_ns, found.sweeps_ns[1:])]
    assert 1 <= sum(gap > 0.45e9 for gap in gaps) < 10, "it is asked once, not in each of thirty sweeps"
    assert len(found.column("power/VDD_SOC").value) == len(found.sweeps_ns)


def test_garbage_is_a_reason_and_never_a_value(running: Running, tmp_path: Path) -> None:
    running.wait_for_sweeps(5)
    sysfs.put(tmp_path / "root", RAIL, "\\x00\\x01 no number")
    running.wait_for_sweeps(5)
    assert "no number" in running.end().reasons["power/VDD_IN"]
    assert set(running.series().column("power/VDD_IN").value) == {5056 * 1128 / 1000}


def test_a_tree_that_is_taken_away_altogether_ends_nothing(running: Running, tmp_path: Path) -> None:
    running.wait_for_sweeps(5)
    (tmp_path / "root").rename(tmp_path / "gone")
    running.wait_for_sweeps(10)
    ended = running.end()
    assert ended.after.locked is None
    assert ended.reasons["clock/gpu"] == "is not there"


def test_a_sampler_whose_worker_is_gone_ends_without_an_answer(running: Running) -> None:
    running.wait_for_sweeps(2)
    assert running.process.stdin is not None
    running.process.stdin.close()
    assert running.process.wait(10) == 0
    assert not (running.folder / exchange.ENDED).exists()


def test_this_machine_for_real_and_what_it_costs(tmp_path: Path) -> None:
    """At the default of ten sweeps a second the sampler takes less than 5 % of one processor."""
    found = Running(tmp_path / "sampler", "/", 0.1)
    found.wait_for_sweeps(20)
    ended = found.end()
    assert ended.cost.cpu_s / ended.cost.wall_s < 0.05
    assert "memory/available" in found.series().columns
    assert json.loads((found.folder / exchange.ENDED).read_text())["kind"] == "sampler-ended"


# --- one sweep, in this process


def sensor(name: str, read: object) -> Sensor:
    return Sensor(name, "", "", "", read)  # type: ignore[arg-type]


def swept(sampler: Sampler) -> List[int]:
    """Numbers of the channels that gave a value."""
    data = sampler.sweep()
    return [
        number for number, _, value in series.ENTRY.iter_unpack(data) if number != series.SWEEP and math.isfinite(value)
    ]


def test_a_sensor_that_says_try_again_is_asked_again() -> None:
    answers = [BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)), None]

    def read() -> float:
        error = answers.pop(0)
        if error is not None:
            raise error
        return 1.0

    sampler = Sampler([sensor("a", read), sensor("b", lambda: 2.0)])
    assert swept(sampler) == [1]
    assert sampler.reasons == {"a": "Resource temporarily unavailable"}
    assert swept(sampler) == [0, 1]


def test_whatever_a_sensor_raises_is_its_own_affair() -> None:
    def read() -> float:
        raise ZeroDivisionError("odd")

    sampler = Sampler([sensor("a", read), sensor("b", lambda: 2.0)])
    assert swept(sampler) == [1]
    assert sampler.reasons == {"a": "odd"}


def test_one_that_blocks_and_comes_back_is_asked_again_but_not_for_ever() -> None:
    free = [threading.Event() for _ in range(9)]
    calls: List[int] = []

    def read() -> float:
        calls.append(1)
        free[len(calls) - 1].wait(30)
        return 1.0

    sampler = Sampler([sensor("a", read), sensor("b", lambda: 2.0)], limit_s=0.05)
    for attempt in range(3):
        assert swept(sampler) == [1]
        assert swept(sampler) == [1], "not asked while it hangs"
        assert len(calls) == attempt + 1
        free[attempt].set()
        time.sleep(0.1)
    assert swept(sampler) == [1]
    assert len(calls) == 3, "three times are enough"


def test_a_reading_is_stamped_in_the_middle_of_its_read() -> None:
    sampler = Sampler([sensor("slow", lambda: time.sleep(0.1) or 1.0)])
    before = time.perf_counter_ns()
    rows = list(series.ENTRY.iter_unpack(sampler.sweep()))
    after = time.perf_counter_ns()
    assert before + 49e6 < rows[1][1] < after - 49e6
