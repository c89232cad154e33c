"""Whether a cell's times are what they claim to be: VALID, or INVALID with every reason. Pure functions."""

from typing import List, Optional

from harness.records import Cause, InferenceOptions, Telemetry, Verdict
from harness.records.samples import LatencySamples
from harness.records.verdict import INVALID, VALID, heaviest
from harness.sensors.seen import Iterations, iterations
from harness.sensors.series import Series

LEAST_ITERATIONS = 10
GAP_S, GAP_INTERVALS = 1.5, 10
"""Longest time without a sweep: three reads that blocked for as long as they may, or so many intervals."""
DRIFT = 1e-3
"""The clock may run fast or slow by so much: the kernel's own corrections stay below 5e-4 (adjtimex(2))."""
LONGER, LONGER_NS, LONGER_SHARE = 1.02, 20_000, 0.01
"""A device that times itself may say so much more than the host, in so many iterations: two clocks, two resolutions."""


def integrity(
    samples: object,
    inference: InferenceOptions,
    telemetry: Optional[Telemetry],
    series: Series,
    shortened: bool = False,
    timer: str = "",
    outputs: str = "",
) -> Verdict:
    """`shortened` where a budget took iterations away, which a deviation says; `timer` and `outputs` are what a check
    of either found wrong, empty where it passed or none was made."""
    found = iterations(samples)  # type: ignore[arg-type]
    causes = [
        *_missing(found, inference, shortened),
        *_backwards(samples, found, series),
        *_timer(samples, telemetry, timer),
        *_outputs(outputs),
        *_gap(found, telemetry),
    ]
    return heaviest(VALID, causes)


def _missing(found: Iterations, inference: InferenceOptions, shortened: bool) -> List[Cause]:
    there, planned = len(found.starts_ns), LEAST_ITERATIONS if shortened else inference.iterations
    reasons = []
    if there < planned:
        reasons.append(f"{there} samples where {planned} were to be taken, and no budget ended them")
    if not shortened and there and found.span_ns < inference.least_s * 1e9 * 0.99:
        reasons.append(f"samples span {found.span_ns / 1e9:.2f} s where {inference.least_s:g} s were asked for")
    advice = "measure the cell again; where it happens again, it is a fault of the harness"
    return [Cause(code="missing samples", weight=INVALID, reason=reason, advice=advice) for reason in reasons]


def _backwards(samples: object, found: Iterations, series: Series) -> List[Cause]:
    columns = [[end - start for start, end in zip(found.starts_ns, found.ends_ns)]]
    if isinstance(samples, LatencySamples):
        columns = [samples.h2d_ns, samples.enqueue_ns, samples.compute_ns, samples.d2h_ns]
        apart = [start - end for start, end in zip(found.starts_ns[1:], found.ends_ns)]
    else:
        apart = [late - early for early, late in zip(found.starts_ns, found.starts_ns[1:])]
    steps = [value for column in (*columns, apart) for value in column if value < 0]
    steps += [late - early for early, late in zip(series.sweeps_ns, series.sweeps_ns[1:]) if late < early]
    if not steps:
        return []
    reason = f"the clock stepped backwards {len(steps)} times, by {-min(steps) / 1e6:.3f} ms at the worst"
    advice = "see the kernel's log for an unstable clock source; a virtual machine may need another one"
    return [Cause(code="clock", weight=INVALID, reason=reason, advice=advice)]


def _timer(samples: object, telemetry: Optional[Telemetry], timer: str) -> List[Cause]:
    reasons = (
        [(timer, "see which clock source the kernel uses, and do not use these times until the check passes")]
        if timer
        else []
    )
    if isinstance(samples, LatencySamples) and samples.device_ns is not None:
        pairs = list(zip(samples.device_ns, samples.compute_ns))
        longer = sum(device > LONGER * host + LONGER_NS for device, host in pairs)
        if longer > LONGER_SHARE * len(pairs):
            text = f"the device's own clock says more than the host's in {longer} of {len(pairs)} iterations"
            reasons.append(
                (f"{text}, though the host waited for it", "check that the timer runs on the runner's stream")
            )
    ratio = telemetry.clock_ratio if telemetry is not None else None
    if ratio is not None and abs(ratio - 1) > DRIFT:
        text = f"the clock runs {(ratio - 1) * 100:+.2f} % against the machine's raw clock"
        reasons.append((text, "stop whatever sets the clock (NTP, a hypervisor) while measuring"))
    return [Cause(code="timer", weight=INVALID, reason=reason, advice=advice) for reason, advice in reasons]


def _outputs(wrong: str) -> List[Cause]:
    advice = "the engine computes rightly only at times: look for a missing synchronisation, or memory that is reused"
    return [Cause(code="outputs", weight=INVALID, reason=wrong, advice=advice)] if wrong else []


def _gap(found: Iterations, telemetry: Optional[Telemetry]) -> List[Cause]:
    """Of the sampler as a whole: nobody can say that nothing happened while nobody looked."""
    if telemetry is None:
        return []
    span_s = found.span_ns / 1e9
    gap_s = telemetry.largest_gap_s if telemetry.largest_gap_s is not None else span_s
    most_s = max(GAP_S, GAP_INTERVALS * telemetry.interval_s)
    if gap_s <= most_s:
        return []
    reason = f"no sensor was read for {gap_s:.1f} s" + (f": {telemetry.reason}" if telemetry.reason else "")
    advice = "leave the sampler a processor (fewer THREADS), or set SAMPLING_S=0 to measure without sensors"
    return [Cause(code="sensor gap", weight=INVALID, reason=reason, advice=advice)]
