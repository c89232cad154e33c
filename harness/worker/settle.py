"""Goes on with untimed inferences until the processor's clock has settled, within limits, before warm-ups begin."""

import time
from typing import NamedTuple, Optional

from harness.backends._contract import Feed, Runner
from harness.records import InferenceOptions
from harness.sensors.settling import settled
from harness.worker.watch import Watch

LIMIT_S, PART = 5.0, 0.25
"""Longest wait, and what part of a cell's budget it may be at most."""


class Settled(NamedTuple):
    seconds: Optional[float] = None
    """None where no clock tells what to wait for."""
    unsettled: bool = False


def settle(runner: Runner, feed: Feed, watch: Watch, inference: InferenceOptions) -> Settled:
    """Waiting without work would let the clock fall again: it is a part of warming up, and comes before its count."""
    told = watch.clock()
    if told is None:
        return Settled()
    begin, begin_ns = time.monotonic(), time.perf_counter_ns()
    limit_s = min(LIMIT_S, PART * inference.max_seconds)
    asked = begin
    while not settled(*told, begin_ns):
        now = time.monotonic()
        if now - begin >= limit_s:
            return Settled(now - begin, unsettled=True)
        runner.set_inputs(feed)
        runner.enqueue()
        runner.synchronize()
        runner.get_outputs()
        if now - asked >= watch.interval_s / 2:
            asked, told = now, watch.clock() or told
    return Settled(time.monotonic() - begin)
