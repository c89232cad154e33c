"""The overlapping loop under a clock that counts: no slot is touched while it is in flight, and two really overlap."""

import gc
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import msgspec
import pytest

from harness.backends._contract import Runner
from harness.errors import Unsupported
from harness.host import runs
from harness.records import InferenceOptions, LatencySamples, ThroughputSamples
from harness.worker.measure import measure, measure_throughput
from tests.small_bench import PLAN, block, measured, request
from tests.test_measure import FEED, Clock

H2D, ENQUEUE, COMPUTE, D2H = 100, 20, 3000, 7


class Device(Runner):
    """Computes one inference after another by itself, while the host goes on; refuses what would break an inference."""

    def __init__(self, clock: Clock, slots: int = 2) -> None:
        self.clock, self.slots = clock, slots
        self.calls: List[Tuple[str, int]] = []
        self.done_at: Dict[int, int] = {}
        """Slot to when what was issued in it is done; absent once that was waited for."""
        self.untaken: Dict[int, bool] = {}
        self.collecting: List[bool] = []
        self.free_at = 0

    def set_inputs(self, feed, slot=0) -> None:  # type: ignore[no-untyped-def]
        assert slot not in self.done_at, f"slot {slot} is written to while it is in flight"
        assert not self.untaken.get(slot), f"slot {slot} is used again before its outputs were taken"
        self.calls.append(("h2d", slot))
        self.collecting.append(gc.isenabled())
        self.clock.now += H2D

    def enqueue(self, slot: int = 0) -> None:
        assert slot not in self.done_at, f"slot {slot} is issued twice"
        self.calls.append(("enqueue", slot))
        self.clock.now += ENQUEUE
        self.free_at = self.done_at[slot] = max(self.clock.now, self.free_at) + COMPUTE
        self.untaken[slot] = True

    def synchronize(self, slot: int = 0) -> None:
        self.calls.append(("synchronize", slot))
        self.clock.now = max(self.clock.now, self.done_at.pop(slot))

    def get_outputs(self, slot: int = 0) -> dict:
        assert slot not in self.done_at, f"slot {slot} is read while it is in flight"
        self.calls.append(("d2h", slot))
        self.untaken[slot] = False
        self.clock.now += D2H
        return {}


def asked(**more: object) -> InferenceOptions:
    return InferenceOptions(**{"threads": 1, "warmup": 3, "iterations": 12, "issue_mode": "throughput", **more})  # type: ignore[arg-type]


def run(device: Device, inference: Optional[InferenceOptions] = None) -> ThroughputSamples:
    samples = measure_throughput(device, FEED, inference or asked(), device.clock).samples
    assert isinstance(samples, ThroughputSamples)
    return samples


def test_slots_take_turns_and_each_is_over_before_it_is_used_again() -> None:
    device = Device(Clock())
    samples = run(device, asked(warmup=2, iterations=10))
    first: List[Tuple[str, int]] = [("h2d", 0), ("enqueue", 0), ("h2d", 1), ("enqueue", 1)]
    turn = [[("synchronize", slot), ("d2h", slot), ("h2d", slot), ("enqueue", slot)] for slot in (0, 1)]
    drain = [("synchronize", 0), ("d2h", 0), ("synchronize", 1), ("d2h", 1)]
    assert device.calls == [*first, *drain, *first, *(turn[0] + turn[1]) * 4, *drain]
    assert (samples.slots, samples.count) == (2, 10)
    assert not device.done_at, "all that was issued was waited for"
    assert not any(device.untaken.values())


def test_inferences_overlap_and_the_rate_is_the_devices_own() -> None:
    overlapped = run(Device(Clock()), asked(iterations=1000))
    assert overlapped.span_ns == pytest.approx(1000 * COMPUTE, rel=0.002), "copies hide behind the device's work"
    assert overlapped.per_second == pytest.approx(1e9 / COMPUTE, rel=0.002)
    flying = [start < end for start, end in zip(overlapped.start_ns[1:], overlapped.end_ns[:-1])]
    assert flying == [True] * 999, "every inference but the first starts while another is in flight"

    device = Device(Clock())
    alone = measure(device, FEED, asked(iterations=1000, issue_mode="latency"), device.clock).samples
    assert isinstance(alone, LatencySamples)
    assert sum(alone.total_ns()) > 1.04 * overlapped.span_ns, "one at a time, copies take the device's time"


def test_an_inference_lasts_from_its_first_byte_in_until_its_outputs_are_there() -> None:
    samples = run(Device(Clock()))
    assert samples.start_ns[0] == 0
    # Readings of the clock take 1 ns each: the first inference's end is read after the second was issued.
    issued = H2D + ENQUEUE + 1
    assert samples.start_ns[1] == issued
    assert samples.end_ns[0] == issued - 1 + COMPUTE + D2H + 1
    assert samples.start_ns[2:] == samples.end_ns[:-2], "a slot's end is its next start: one reading"
    assert samples.end_ns[-1] == samples.span_ns


def test_a_budget_shortens_but_never_below_2_and_10_and_drains() -> None:
    device = Device(Clock())
    found = measure_throughput(device, FEED, asked(warmup=20, iterations=100, max_seconds=1e-9), device.clock)
    assert (found.warmup_done, found.samples.count) == (2, 10)
    assert found.deviations == [
        "2 of 20 warm-ups in a budget of 1e-09 s",
        "10 of 100 iterations in a budget of 1e-09 s",
    ]
    assert isinstance(found.samples, ThroughputSamples)
    assert found.samples.end_ns == sorted(found.samples.end_ns), "each has its own end, also those of the drain"
    assert not device.done_at


def test_a_budget_is_shared_by_warm_up_and_iterations() -> None:
    device = Device(Clock())
    found = measure_throughput(
        device, FEED, asked(warmup=20, iterations=100, max_seconds=60 * COMPUTE / 1e9), device.clock
    )
    assert 8 <= found.warmup_done <= 12, "warm-up's share is 20 of 120"
    assert 46 <= found.samples.count <= 52


def test_the_collector_rests_while_timing_and_wakes_after() -> None:
    device = Device(Clock())
    run(device, asked(warmup=2, iterations=10))
    assert device.collecting == [False] * 12
    assert gc.isenabled()


@pytest.mark.parametrize("mutation", ["no synchronize", "no outputs", "one slot for all"])
def test_the_strict_device_sees_a_loop_that_breaks_its_rules(mutation: str) -> None:
    device = Device(Clock())
    if mutation == "no synchronize":
        device.synchronize = lambda slot=0: None  # type: ignore[method-assign]
    elif mutation == "no outputs":
        device.get_outputs = lambda slot=0: {}  # type: ignore[method-assign]
    else:
        enqueue, set_inputs = device.enqueue, device.set_inputs
        device.enqueue = lambda slot=0: enqueue(0)  # type: ignore[method-assign]
        device.set_inputs = lambda feed, slot=0: set_inputs(feed, 0)  # type: ignore[method-assign]
    with pytest.raises(AssertionError, match="slot 0"):
        run(device)


def test_a_runner_of_one_slot_is_not_made_to_overlap() -> None:
    device = Device(Clock(), slots=1)
    with pytest.raises(Unsupported, match="throughput needs 2 inferences in flight at a time; this runner takes 1"):
        run(device)
    assert device.calls == []


def test_throughput_is_measured_where_it_can_be_and_skipped_where_a_runner_is_synchronous(
    models_dir: Path, ready: Path
) -> None:
    plan = msgspec.structs.replace(block(PLAN, issue_modes=["throughput"]), rounds=1)
    outcome = measured(request(models_dir, ready, plan))
    assert outcome.counts == {"ok": 1, "skipped": 1}
    found = {one.experiment.build.backend: one for one in runs.load_one(outcome.folder).results}
    assert isinstance(found["null"].samples, ThroughputSamples)
    assert found["null"].samples.count == 10
    assert found["onnxruntime"].reason == "throughput needs 2 inferences in flight at a time; this runner takes 1"
    assert found["onnxruntime"].accuracy is None, "nothing was verified that would not be timed"
