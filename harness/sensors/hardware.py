"""Whether the hardware held something back while a cell was measured: CLEAN, LIMITED or UNKNOWN, with every reason.

Pure functions over telemetry and samples. A reading counts from its third in a row; what happened before the first
iteration or after the last one does not count at all.
"""

from typing import List, Optional

from harness.records import Cause, Verdict
from harness.records.verdict import CLEAN, UNKNOWN, heaviest
from harness.sensors import clocks, neighbours, throttles
from harness.sensors.seen import ENOUGH, Seen

COVERAGE = 0.9
"""Share of the sweeps that a channel must have answered in to tell anything of the whole."""


def hardware(seen: Optional[Seen]) -> Verdict:
    """None is a cell that nobody watched."""
    if seen is None:
        reason = "no sensor was looked at"
        advice = "leave SAMPLING_S unset"
        return heaviest(CLEAN, [Cause(code="not watched", weight=UNKNOWN, reason=reason, advice=advice)])
    rules = (clocks.free, clocks.changed, clocks.below, clocks.unsettled, throttles.found, neighbours.found, _evidence)
    return heaviest(CLEAN, [cause for rule in rules for cause in rule(seen)])


def _evidence(seen: Seen) -> List[Cause]:
    """Without a clock that has an expectation, or a word on throttling, nobody can call a cell clean."""
    processor = seen.inference.processor
    telling = [f"clock/{name}" for name in clocks.names(seen) if clocks.expected_hz(seen, name) is not None]
    telling += ["reasons/gpu"] if processor == "gpu" else []
    telling += [name for name in seen.series.columns if name.startswith(f"throttle_events/{processor}")]
    there = [name for name in telling if name in seen.series.columns]
    if not there:
        reason = (
            f"this machine tells neither what the {processor.upper()}'s clock should be nor whether it is throttled"
        )
        advice = "in a virtual machine only its host can tell"
        return [Cause(code="no evidence", weight=UNKNOWN, reason=reason, advice=advice)]
    fewest = min(len(seen.during(name).t_ns) for name in there)
    sweeps = [at for at in seen.series.sweeps_ns if 0 <= at <= seen.iterations.span_ns]
    if len(sweeps) < ENOUGH:
        text = f"only {len(sweeps)} readings in {seen.iterations.span_ns / 1e9:.2f} s of iterations"
        advice = "more ITERATIONS, or MIN_SECONDS"
        return [Cause(code="too short", weight=UNKNOWN, reason=text, advice=advice)]
    if fewest < COVERAGE * len(sweeps) - 1:  # at either end a sweep may begin inside and its reading lie outside
        name = next(one for one in there if len(seen.during(one).t_ns) == fewest)
        channel = seen.telemetry.channel(name)
        why = f": {channel.reason}" if channel is not None and channel.reason else ""
        text = f"{name} was read in {fewest} of {len(sweeps)} sweeps only{why}"
        return [Cause(code="no evidence", weight=UNKNOWN, reason=text, advice="measure the cell again")]
    return []
