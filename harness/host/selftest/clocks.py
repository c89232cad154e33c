"""What the times of a self-test must keep, however long they are: the device's clock, ours, and who comes first."""

from typing import Dict, List, Tuple

from harness.host.report.wording import milliseconds
from harness.host.runs import RunData
from harness.host.selftest.cells import name
from harness.host.selftest.line import CLOCK, FAILED, MODE, OK, SKIPPED, TIMER, Line
from harness.host.stats.summary import median
from harness.records import LatencySamples, Result, ThroughputSamples

SLACK_NS = 2_000
"""Two events on the device, each known to about 500 ns, and two readings of the host's clock."""
SLACK_SHARE = 0.01
"""The device's clock and the host's may run apart by so much."""
CLEARLY = 2.0
COARSEST_STEP_NS = 1_000
NO_DEVICE_CLOCK = "no engine that ran here has a clock on its device: it takes a GPU"


def lines(data: RunData) -> List[Line]:
    ok = [one for one in data.results if one.status == "ok"]
    latency = [(one, one.samples) for one in ok if isinstance(one.samples, LatencySamples)]
    return [step(data), *_in_order(latency), *slots(ok), *timers(latency)]


def step(data: RunData) -> Line:
    """The clock of every sample must be finer than anything that is timed."""
    found = data.machine.timer_step_ns
    status = OK if 0 < found <= COARSEST_STEP_NS else FAILED
    return Line(CLOCK, "step", status, f"steps by {found} ns; the most is {COARSEST_STEP_NS}")


def timers(latency: "List[Tuple[Result, LatencySamples]]") -> List[Line]:
    """Of every backend with a device clock: within the host's time, never still, and longer for more work."""
    timed: Dict[str, List[Tuple[Result, LatencySamples]]] = {}
    for result, samples in latency:
        if samples.device_ns is not None:
            timed.setdefault(result.experiment.build.backend, []).append((result, samples))
    found = [] if timed else [Line(TIMER, "any backend", SKIPPED, NO_DEVICE_CLOCK)]
    for backend, cells in timed.items():
        found += [_within(backend, cells), _grows(backend, cells)]
    return found


def _within(backend: str, cells: "List[Tuple[Result, LatencySamples]]") -> Line:
    """The device computes while the host waits: its time is never zero, and never longer than ours."""
    for result, samples in cells:
        for device, host in zip(samples.device_ns or [], samples.compute_ns):
            if device <= 0:
                return Line(
                    TIMER, f"{backend} runs", FAILED, f"{name(result.experiment)}: an inference took {device} ns"
                )
            if device > host * (1 + SLACK_SHARE) + SLACK_NS:
                text = f"{name(result.experiment)}: {device} ns on the device, {host} ns on the host's clock around it"
                return Line(TIMER, f"{backend} runs", FAILED, text)
    total = sum(samples.count for _, samples in cells)
    return Line(TIMER, f"{backend} runs", OK, f"above zero and within the host's time, {total} inferences")


def _grows(backend: str, cells: "List[Tuple[Result, LatencySamples]]") -> Line:
    """Of one precision, the larger model takes longer; where the host's own times clearly say which that is."""
    what = f"{backend} tells models apart"
    by_precision: Dict[str, Dict[str, Tuple[float, float]]] = {}
    for result, samples in cells:
        build = result.experiment.build
        figures = (median(samples.compute_ns), median(samples.device_ns or []))
        by_precision.setdefault(build.precision, {}).setdefault(build.model, figures)
    compared = []
    for precision, models in by_precision.items():
        ordered = sorted(models.items(), key=lambda one: one[1][0])
        for (small, (_, less)), (large, (_, more)) in zip(ordered, ordered[1:]):
            if models[large][0] < CLEARLY * models[small][0]:
                continue
            text = f"{precision}: {small} {milliseconds(less)} ms, {large} {milliseconds(more)} ms"
            if more <= less:
                return Line(TIMER, what, FAILED, text)
            compared.append(text)
    if not compared:
        return Line(TIMER, what, SKIPPED, f"no model that ran takes {CLEARLY:g} times as long as another")
    return Line(TIMER, what, OK, "; ".join(compared))


def _in_order(latency: "List[Tuple[Result, LatencySamples]]") -> List[Line]:
    """One inference at a time: none starts before the one in front of it has ended."""
    for result, samples in latency:
        ends = [start + total for start, total in zip(samples.start_ns, samples.total_ns())]
        if any(start < end for end, start in zip(ends, samples.start_ns[1:])):
            return [
                Line(CLOCK, "order", FAILED, f"{name(result.experiment)}: an inference starts before one has ended")
            ]
    total = sum(samples.count for _, samples in latency)
    return [Line(CLOCK, "order", OK, f"{total} inferences, one after the other")] if latency else []


def slots(ok: List[Result]) -> List[Line]:
    """Two inferences under way: they overlap, and none takes a slot that is still used."""
    found = []
    for result in ok:
        samples = result.samples
        if not isinstance(samples, ThroughputSamples):
            continue
        what = f"{name(result.experiment)}, slots"
        if any(start < end for end, start in zip(samples.end_ns, samples.start_ns[samples.slots :])):
            found.append(Line(MODE, what, FAILED, "an inference took a slot that was still used"))
            continue
        together = sum(start < end for end, start in zip(samples.end_ns, samples.start_ns[1:]))
        status = OK if together else FAILED
        found.append(
            Line(MODE, what, status, f"{together} of {samples.count} overlap the next, in {samples.slots} slots")
        )
    return found
