"""The timing loop under a clock that counts: what is inside a window, what is not, and what a budget takes away."""

import gc
from typing import List, Optional

import msgspec
import numpy
import pytest

from harness.backends._contract import Runner, Timer
from harness.records import InferenceOptions
from harness.worker.measure import measure_latency

FEED = {"x": numpy.zeros(1, numpy.float32)}


class Clock:
    """Advances by one nanosecond when read, and by what the runner's work costs."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        self.now += 1
        return self.now


class Work(Runner):
    """A runner whose steps cost a known time on the fake clock, and which logs its calls."""

    def __init__(self, clock: Clock, timer: Optional[Timer] = None) -> None:
        self.clock, self.calls, self.timer, self.collecting = clock, [], timer, []  # type: ignore[var-annotated]

    def set_inputs(self, feed, slot=0) -> None:  # type: ignore[no-untyped-def]
        self.calls.append("h2d")
        self.collecting.append(gc.isenabled())
        self.clock.now += 100

    def enqueue(self, slot: int = 0) -> None:
        self.calls.append("enqueue")
        self.clock.now += 20

    def synchronize(self, slot: int = 0) -> None:
        self.calls.append("synchronize")
        self.clock.now += 3000

    def get_outputs(self, slot: int = 0) -> dict:
        self.calls.append("d2h")
        self.clock.now += 7
        return {}

    def device_timer(self, slot: int = 0) -> Optional[Timer]:
        return self.timer


class DeviceTimer(Timer):
    def __init__(self, log: List[str]) -> None:
        self.log = log

    def start(self) -> None:
        self.log.append("start")

    def stop(self) -> None:
        self.log.append("stop")

    def elapsed_ns(self) -> int:
        return 2900


def test_every_step_lands_in_its_own_column() -> None:
    clock = Clock()
    runner = Work(clock)
    latency = measure_latency(runner, FEED, InferenceOptions(threads=1, warmup=3, iterations=12), clock)
    samples = latency.samples
    assert samples.h2d_ns == [101] * 12
    assert samples.enqueue_ns == [21] * 12
    assert samples.compute_ns == [21 + 3001] * 12, "compute is enqueue until synchronized"
    assert samples.d2h_ns == [8] * 12
    assert samples.device_ns is None
    assert latency.warmup_done == 3
    assert latency.deviations == []
    assert runner.calls == ["h2d", "enqueue", "synchronize", "d2h"] * 15
    assert samples.start_ns[0] == 0
    assert samples.start_ns[1] >= samples.total_ns()[0]


def test_the_collector_rests_while_timing_and_wakes_after() -> None:
    clock = Clock()
    runner = Work(clock)
    measure_latency(runner, FEED, InferenceOptions(threads=1, warmup=2, iterations=10), clock)
    assert runner.collecting == [False] * 12
    assert gc.isenabled()


def test_a_failing_inference_yields_no_latency_and_wakes_the_collector() -> None:
    clock = Clock()
    runner = Work(clock)

    def broken(slot: int = 0) -> None:
        raise RuntimeError("device lost")

    runner.enqueue = broken  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="device lost"):
        measure_latency(runner, FEED, InferenceOptions(threads=1, warmup=2, iterations=10), clock)
    assert gc.isenabled()


def test_a_budget_shortens_but_never_below_2_and_10() -> None:
    clock = Clock()
    inference = InferenceOptions(threads=1, warmup=20, iterations=100, max_seconds=1e-9)
    latency = measure_latency(Work(clock), FEED, inference, clock)
    assert latency.warmup_done == 2
    assert len(latency.samples.compute_ns) == 10
    assert latency.deviations == [
        "2 of 20 warm-ups in a budget of 1e-09 s",
        "10 of 100 iterations in a budget of 1e-09 s",
    ]


def test_a_least_duration_goes_on_beyond_the_count_and_the_budget_ends_it() -> None:
    inference = InferenceOptions(threads=1, warmup=2, iterations=10, min_seconds=1e-3)
    clock = Clock()
    measured = measure_latency(Work(clock), FEED, inference, clock)
    each = measured.samples.start_ns[1]
    assert measured.samples.count == pytest.approx(1e6 / each, abs=1)
    assert measured.deviations == []
    clock = Clock()
    short = measure_latency(Work(clock), FEED, msgspec.structs.replace(inference, max_seconds=1e-4), clock)
    assert 10 < short.samples.count < 40
    assert len(short.deviations) == 1
    assert short.deviations[0].endswith(" of at least 0.001 s of iterations in a budget of 0.0001 s")
    clock = Clock()
    enough = measure_latency(Work(clock), FEED, msgspec.structs.replace(inference, min_seconds=1e-6), clock)
    assert enough.samples.count == 10, "what spans more by itself is not prolonged"


def test_the_origin_is_the_first_start_on_the_clock() -> None:
    clock = Clock()
    clock.now = 5_000_000
    samples = measure_latency(Work(clock), FEED, InferenceOptions(threads=1, warmup=2, iterations=10), clock).samples
    assert 5_000_000 < samples.origin_ns < clock.now
    assert samples.start_ns[0] == 0


def test_a_budget_is_shared_by_warm_up_and_iterations() -> None:
    clock = Clock()
    # One iteration takes 3,132 ns (five readings, one more between iterations); room for about 60.
    inference = InferenceOptions(threads=1, warmup=20, iterations=100, max_seconds=60 * 3132 / 1e9)
    latency = measure_latency(Work(clock), FEED, inference, clock)
    assert 9 <= latency.warmup_done <= 11, "warm-up's share is 20 of 120"
    assert 48 <= len(latency.samples.compute_ns) <= 52


def test_device_time_is_taken_around_enqueue_on_the_runners_own_timer() -> None:
    clock, log = Clock(), []  # type: ignore[var-annotated]
    runner = Work(clock, DeviceTimer(log))
    runner.calls = log
    latency = measure_latency(runner, FEED, InferenceOptions(threads=1, warmup=2, iterations=10), clock)
    assert latency.samples.device_ns == [2900] * 10
    assert log[8:14] == ["h2d", "start", "enqueue", "stop", "synchronize", "d2h"]
