"""What is said of a measured cell beside its times: telemetry and both verdicts, from what the sampler saw."""

import os
from typing import Any, Dict

import msgspec

from harness.records import Cause, InferenceOptions, Verdict
from harness.records.verdict import INVALID
from harness.sensors.hardware import hardware
from harness.sensors.integrity import integrity
from harness.sensors.seen import Seen, iterations
from harness.worker.measure import Measured
from harness.worker.settle import Settled
from harness.worker.watch import Watch


def of(
    measured: Measured, inference: InferenceOptions, watch: Watch, settled: Settled, wrong: str, clocks: str
) -> Dict[str, Any]:
    """Fields of a Result. The sampler has ended; `wrong` is what the outputs were in the end, `clocks` what a check of
    the clocks found wrong; both are empty where all is right."""
    samples = measured.samples
    telemetry, series = watch.telemetry(samples.origin_ns, iterations(samples).span_ns)
    seen = None
    if telemetry is not None:
        telemetry = msgspec.structs.replace(
            telemetry,
            settled_s=round(settled.seconds, 3) if settled.seconds is not None else None,
            unsettled=settled.unsettled,
        )
        seen = Seen(samples, inference, telemetry, series, os.cpu_count() or 1)
    return {
        "telemetry": telemetry,
        "integrity": integrity(samples, inference, telemetry, series, bool(measured.deviations), clocks, wrong),
        "hardware": hardware(seen),
    }


def of_a_backwards_clock(words: str) -> Verdict:
    """Where a step fell into an iteration, there are no samples to look at."""
    advice = "see the kernel's log for an unstable clock source; a virtual machine may need another one"
    return Verdict(verdict=INVALID, causes=[Cause(code="clock", weight=INVALID, reason=words, advice=advice)])
