"""The only clock: times a runner, one function per issue mode. Knows nothing of runtimes, files or statistics."""

import gc
import time
from array import array
from typing import Callable, List, NamedTuple

from harness.backends._contract import Feed, Runner
from harness.records import InferenceOptions, LatencySamples

Clock = Callable[[], int]
"""Monotonic nanoseconds."""

LEAST_WARMUP = 2
LEAST_ITERATIONS = 10


class Latency(NamedTuple):
    """What was measured, and what the budget took away."""

    samples: LatencySamples
    warmup_done: int
    deviations: List[str]


def measure_latency(
    runner: Runner, feed: Feed, inference: InferenceOptions, clock: Clock = time.perf_counter_ns
) -> Latency:
    """Warm-ups, then timed iterations, one inference at a time.

    Between two readings of the clock nothing of ours is created, logged or decided, and the garbage collector is off.
    The budget is looked at between iterations: warm-up may take its share of it (by count), never below 2 and 10.
    """
    budget_ns = int(inference.max_seconds * 1e9)
    share = inference.warmup / (inference.warmup + inference.iterations)
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        begin = clock()
        warmup_done = _warm_up(runner, feed, inference.warmup, begin + int(budget_ns * share), clock)
        samples = iterate(runner, feed, inference.iterations, begin + budget_ns, clock)
    finally:
        if collecting:
            gc.enable()
    deviations = []
    done = len(samples.compute_ns)
    if warmup_done < inference.warmup:
        deviations.append(f"{warmup_done} of {inference.warmup} warm-ups in a budget of {inference.max_seconds:g} s")
    if done < inference.iterations:
        deviations.append(f"{done} of {inference.iterations} iterations in a budget of {inference.max_seconds:g} s")
    return Latency(samples, warmup_done, deviations)


def _warm_up(runner: Runner, feed: Feed, count: int, deadline: int, clock: Clock) -> int:
    """Runs whole untimed iterations; returns how many."""
    for done in range(count):
        if done >= LEAST_WARMUP and clock() >= deadline:
            return done
        runner.set_inputs(feed)
        runner.enqueue()
        runner.synchronize()
        runner.get_outputs()
    return count


def iterate(runner: Runner, feed: Feed, count: int, deadline: int, clock: Clock) -> LatencySamples:
    """The timed iterations; ends after the tenth once the clock has passed `deadline`."""
    # Bound methods and columns are made before the loop: what is looked up inside it would be timed with it.
    set_inputs, enqueue, synchronize, get_outputs = (
        runner.set_inputs,
        runner.enqueue,
        runner.synchronize,
        runner.get_outputs,
    )
    timer = runner.device_timer()
    starts, h2d, enqueued, compute, d2h, device = (array("q", bytes(8 * count)) for _ in range(6))
    done = 0
    while done < count:
        if timer is None:
            t0 = clock()
            set_inputs(feed)
            t1 = clock()
            enqueue()
            t2 = clock()
            synchronize()
            t3 = clock()
            get_outputs()
            t4 = clock()
        else:
            t0 = clock()
            set_inputs(feed)
            t1 = clock()
            timer.start()
            enqueue()
            timer.stop()
            t2 = clock()
            synchronize()
            t3 = clock()
            get_outputs()
            t4 = clock()
            device[done] = timer.elapsed_ns()
        starts[done] = t0
        h2d[done] = t1 - t0
        enqueued[done] = t2 - t1
        compute[done] = t3 - t1
        d2h[done] = t4 - t3
        done += 1
        if done >= LEAST_ITERATIONS and t4 >= deadline:
            break
    return LatencySamples(
        start_ns=[start - starts[0] for start in starts[:done]],
        h2d_ns=h2d[:done].tolist(),
        enqueue_ns=enqueued[:done].tolist(),
        compute_ns=compute[:done].tolist(),
        d2h_ns=d2h[:done].tolist(),
        device_ns=device[:done].tolist() if timer is not None else None,
    )
