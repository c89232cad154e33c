"""The only clock: times a runner, one function per issue mode. Knows nothing of runtimes, files or statistics."""

import contextlib
import gc
import time
from array import array
from typing import Callable, Iterator, List, NamedTuple, Union

from harness.backends._contract import Feed, Runner
from harness.errors import Unsupported
from harness.records import InferenceOptions, LatencySamples, ThroughputSamples

Clock = Callable[[], int]
"""Monotonic nanoseconds."""

LEAST_WARMUP = 2
LEAST_ITERATIONS = 10
MOST_MORE = 500_000
"""Iterations that a least duration may lead to: a result's file must stay one that can be read."""


class Measured(NamedTuple):
    """What was measured, and what the budget took away."""

    samples: Union[LatencySamples, ThroughputSamples]
    warmup_done: int
    deviations: List[str]


def measure(runner: Runner, feed: Feed, inference: InferenceOptions, clock: Clock = time.perf_counter_ns) -> Measured:
    """In the issue mode that is asked for; both share warm-up, budget and the rules of the loop.

    Between two readings of the clock nothing of ours is created, logged or decided, and the garbage collector is off.
    The budget is looked at between iterations: warm-up may take its share of it (by count), never below 2 and 10.
    """
    return (measure_throughput if inference.issue_mode == "throughput" else measure_latency)(
        runner, feed, inference, clock
    )


def measure_latency(
    runner: Runner, feed: Feed, inference: InferenceOptions, clock: Clock = time.perf_counter_ns
) -> Measured:
    """Warm-ups, then timed iterations, one inference at a time."""
    with _undisturbed():
        budget = _Budget(inference, clock())
        warmup_done = _warm_up(runner, feed, inference.warmup, budget.warmup_ns, clock)
        samples = iterate(runner, feed, inference.iterations, budget.end_ns, clock, budget.least_ns)
    span_ns = samples.start_ns[-1] + samples.total_ns()[-1]
    return Measured(samples, warmup_done, _deviations(inference, warmup_done, samples.count, span_ns))


def measure_throughput(
    runner: Runner, feed: Feed, inference: InferenceOptions, clock: Clock = time.perf_counter_ns
) -> Measured:
    """Warm-ups, then timed iterations, each issued while the one before it may still run, in slots that take turns."""
    check_slots(runner, inference)
    with _undisturbed():
        budget = _Budget(inference, clock())
        warmup_done = _warm_up_slots(runner, feed, inference, budget.warmup_ns, clock)
        samples = overlap(runner, feed, inference.slots, inference.iterations, budget.end_ns, clock, budget.least_ns)
    return Measured(samples, warmup_done, _deviations(inference, warmup_done, samples.count, samples.span_ns))


def check_slots(runner: Runner, inference: InferenceOptions) -> None:
    """Raises Unsupported where the runner has fewer slots than the issue mode takes: nothing could overlap."""
    if runner.slots < inference.slots:
        what = f"{inference.issue_mode} needs {inference.slots} inferences in flight at a time"
        raise Unsupported(f"{what}; this runner takes {runner.slots}")


class _Budget:
    """Until when, on the clock, warm-up may last and until when all of it."""

    def __init__(self, inference: InferenceOptions, begin_ns: int) -> None:
        budget_ns = int(inference.max_seconds * 1e9)
        share = inference.warmup / (inference.warmup + inference.iterations)
        self.warmup_ns, self.end_ns = begin_ns + int(budget_ns * share), begin_ns + budget_ns
        self.least_ns = int(inference.least_s * 1e9)
        """Of the iterations alone; where the budget is smaller, it wins."""


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """The garbage collector is off; it is as it was when this ends, however it ends."""
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _deviations(inference: InferenceOptions, warmup_done: int, done: int, span_ns: int) -> List[str]:
    found = []
    if warmup_done < inference.warmup:
        found.append(f"{warmup_done} of {inference.warmup} warm-ups in a budget of {inference.max_seconds:g} s")
    if done < inference.iterations:
        found.append(f"{done} of {inference.iterations} iterations in a budget of {inference.max_seconds:g} s")
    if span_ns < int(inference.least_s * 1e9):
        limit = f"{done} iterations" if done >= MOST_MORE else f"a budget of {inference.max_seconds:g} s"
        found.append(f"{span_ns / 1e9:.3g} of at least {inference.least_s:g} s of iterations in {limit}")
    return found


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


def iterate(runner: Runner, feed: Feed, count: int, deadline: int, clock: Clock, least_ns: int = 0) -> LatencySamples:
    """The timed iterations; ends after the tenth once the clock has passed `deadline`.

    Goes on beyond `count` until they span `least_ns`; columns then grow between two iterations.
    """
    # Bound methods and columns are made before the loop: what is looked up inside it would be timed with it.
    set_inputs, enqueue, synchronize, get_outputs = (
        runner.set_inputs,
        runner.enqueue,
        runner.synchronize,
        runner.get_outputs,
    )
    timer = runner.device_timer()
    starts, h2d, enqueued, compute, d2h, device = columns = [array("q", bytes(8 * count)) for _ in range(6)]
    done, room = 0, count
    while done < room:
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
        if done >= count:
            if t4 - starts[0] >= least_ns:
                break
            if done == room:
                room = _grow(columns, room)
    return LatencySamples(
        start_ns=[start - starts[0] for start in starts[:done]],
        h2d_ns=h2d[:done].tolist(),
        enqueue_ns=enqueued[:done].tolist(),
        compute_ns=compute[:done].tolist(),
        d2h_ns=d2h[:done].tolist(),
        device_ns=device[:done].tolist() if timer is not None else None,
        origin_ns=starts[0],
    )


def _grow(columns: "List[array[int]]", room: int) -> int:
    """Twice the room for samples, as long as there may be more; the new room."""
    more = min(room, max(0, MOST_MORE - room))
    for column in columns:
        column.extend(array("q", bytes(8 * more)))
    return room + more


def _warm_up_slots(runner: Runner, feed: Feed, inference: InferenceOptions, deadline: int, clock: Clock) -> int:
    """Untimed iterations as the timed ones run, all of them over at the end; returns how many."""
    slots = inference.slots
    least, done = max(LEAST_WARMUP, slots), 0  # every slot once
    while done < inference.warmup and not (done >= least and clock() >= deadline):
        slot = done % slots
        if done >= slots:
            runner.synchronize(slot)
            runner.get_outputs(slot)
        runner.set_inputs(feed, slot)
        runner.enqueue(slot)
        done += 1
    for each in range(max(0, done - slots), done):
        runner.synchronize(each % slots)
        runner.get_outputs(each % slots)
    return done


def overlap(
    runner: Runner, feed: Feed, slots: int, count: int, deadline: int, clock: Clock, least_ns: int = 0
) -> ThroughputSamples:
    """The timed iterations in `slots` that take turns; ends after the tenth once the clock has passed `deadline`.

    Goes on beyond `count` until they span `least_ns`.

    A slot is synchronized and its outputs are taken before its next inputs are copied: that reading of the clock is the
    end of the one and the start of the other. All slots are drained before this returns, so that every iteration has
    an end.
    """
    set_inputs, enqueue, synchronize, get_outputs = (
        runner.set_inputs,
        runner.enqueue,
        runner.synchronize,
        runner.get_outputs,
    )
    # Inferences are in flight wherever columns could grow: there is room for all that may come.
    room = max(count, MOST_MORE) if least_ns else count
    starts, ends = (array("q", bytes(8 * room)) for _ in range(2))
    issued, taken = 0, False
    while issued < room:
        slot = issued % slots
        if issued >= slots:
            synchronize(slot)
            get_outputs(slot)
            now = clock()
            ends[issued - slots] = now
            taken = (issued >= LEAST_ITERATIONS and now >= deadline) or (
                issued >= count and now - starts[0] >= least_ns
            )
            if taken:
                break
        else:
            now = clock()
        starts[issued] = now
        set_inputs(feed, slot)
        enqueue(slot)
        issued += 1
    # Those that are still in flight; after a break the oldest of them has been taken already.
    for each in range(issued - slots + taken, issued):
        synchronize(each % slots)
        get_outputs(each % slots)
        ends[each] = clock()
    first = starts[0]
    return ThroughputSamples(
        slots=slots,
        start_ns=[start - first for start in starts[:issued]],
        end_ns=[end - first for end in ends[:issued]],
        origin_ns=first,
    )
