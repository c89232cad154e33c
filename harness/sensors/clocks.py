"""What clocks did while a cell was measured, against what the power mode allows; never against what silicon could."""

from bisect import bisect_right
from typing import Dict, List, Optional

from harness.records import Cause
from harness.records.verdict import LIMITED, NOTE
from harness.sensors.seen import ENOUGH, Seen, Span, runs
from harness.sensors.series import Column

SLOW = 0.97
"""Of what is expected. Steps between two clocks of a Jetson are 5 % and more, rounding and drift below 1 %."""
LOCK = "make lock (nvpmodel, then jetson_clocks), after every boot"
GOVERN = "sudo cpupower frequency-set -g performance"
HOLD_GPU = "sudo nvidia-smi -lgc CLOCK, and nvidia-smi -rgc afterwards"


def names(seen: Seen) -> List[str]:
    """Clocks of the processor that is measured: `gpu`, or the CPUs'."""
    processor = seen.inference.processor
    found = [name.partition("/")[2] for name in seen.series.kind("clock")]
    return [name for name in found if (name == "gpu" if processor == "gpu" else name.startswith("cpu"))]


def expected_hz(seen: Seen, clock: str) -> Optional[float]:
    """What it runs at while nothing holds it back; None where nobody can tell."""
    limits = seen.limits(clock)
    return limits.expected_hz if limits is not None else None


def free(seen: Seen) -> List[Cause]:
    """Clocks that may move. A cell on a GPU is issued by a CPU, whose clock counts too."""
    before = seen.telemetry.before
    if before is None:
        return []
    relevant = [one for one in before.clocks if one.name.startswith(("cpu", seen.inference.processor))]
    moving = [one for one in relevant if one.held is False]
    if moving:
        spans = ", ".join(f"{one.name} ({one.min_hz / 1e6:.0f} to {one.max_hz / 1e6:.0f} MHz)" for one in moving)  # type: ignore[operator]
        advice = LOCK if before.power_mode is not None or "cap/gpu" in seen.series.columns else GOVERN
        return [Cause(code="clocks not locked", weight=LIMITED, reason=f"free to move: {spans}", advice=advice)]
    unknown = [one.name for one in relevant if one.held is None]
    if unknown:
        reason = f"nothing tells whether {', '.join(unknown)} is held"
        return [Cause(code="clocks not locked", weight=NOTE, reason=reason)]
    return []


def changed(seen: Seen) -> List[Cause]:
    """Power mode and limits, before against after."""
    before, after = seen.telemetry.before, seen.telemetry.after
    if before is None or after is None:
        return []
    moved = []
    if before.power_mode != after.power_mode:
        moved.append(f"power mode {before.power_mode or 'unknown'} became {after.power_mode or 'unknown'}")
    old = {one.name: one for one in before.clocks}
    for new in after.clocks:
        was = old.get(new.name)
        if was is not None and (was.min_hz, was.max_hz, was.governor) != (new.min_hz, new.max_hz, new.governor):
            moved.append(f"limits of {new.name} changed")
    if not moved:
        return []
    advice = "leave nvpmodel, jetson_clocks and governors alone while a run goes on, then measure the cell again"
    return [Cause(code="set-up changed", weight=LIMITED, reason="; ".join(moved), advice=advice)]


def below(seen: Seen) -> List[Cause]:
    """The fastest of the processor's clocks, reading by reading, below what is expected; a 0 is a GPU that rests."""
    ratios: Dict[int, float] = {}
    for name in names(seen):
        expected = expected_hz(seen, name)
        for at, value in zip(*(seen.during(f"clock/{name}") if expected else Column([], []))):
            if value > 0:
                sweep = _sweep(seen, at)
                ratios[sweep] = max(ratios.get(sweep, 0.0), value / float(expected or 1))
    if not ratios:
        return _moving(seen)
    times = [seen.series.sweeps_ns[sweep] for sweep in sorted(ratios)]
    values = [ratios[sweep] for sweep in sorted(ratios)]
    spans = runs(times, [value < SLOW for value in values])
    if len(values) < ENOUGH or not spans:
        return []
    worst = min(value for at, value in zip(times, values) if _inside(at, spans))
    limits = [seen.limits(name) for name in names(seen)]
    cap = max(one.expected_hz or 0 for one in limits if one is not None)
    held = all(one.held for one in limits if one is not None)
    share = seen.iterations.share(spans)
    processor = seen.inference.processor.upper()
    reason = f"the {processor}'s clock fell to {worst * 100:.0f} % of the {cap / 1e6:.0f} MHz that its mode allows"
    advice = (
        "it is locked and yet slower: look for heat, supply and power limit, and at what is named beside this"
        if held
        else f"lock the clocks first ({LOCK}): free ones also fall when there is little to do"
    )
    return [Cause(code="clock below cap", weight=LIMITED, reason=reason, advice=advice, share=share)]


def _moving(seen: Seen) -> List[Cause]:
    """A GPU of which nobody knows what to expect (NVML): against the highest clock of this very cell."""
    if seen.inference.processor != "gpu":
        return []
    column = seen.during("clock/gpu")
    values = [value for value in column.value if value > 0]
    if len(values) < ENOUGH:
        return []
    highest = max(values)
    spans = runs(column.t_ns, [0 < value < SLOW * highest for value in column.value])
    if not spans:
        return []
    reason = f"the GPU's clock moved between {min(values) / 1e6:.0f} and {highest / 1e6:.0f} MHz"
    share = seen.iterations.share(spans)
    return [Cause(code="clock moved", weight=LIMITED, reason=reason, advice=HOLD_GPU, share=share)]


def unsettled(seen: Seen) -> List[Cause]:
    """What the wait before the iterations could not reach (`settling.py`)."""
    if not seen.telemetry.unsettled:
        return []
    reason = f"the clock had not settled after {seen.telemetry.settled_s or 0:.1f} s of untimed inferences"
    return [Cause(code="clock not settled", weight=LIMITED, reason=reason, advice=_hold(seen))]


def _hold(seen: Seen) -> str:
    """How the measured processor's clock is held on such a machine."""
    before = seen.telemetry.before
    if (before is not None and before.power_mode is not None) or "cap/gpu" in seen.series.columns:
        return LOCK
    return HOLD_GPU if seen.inference.processor == "gpu" else GOVERN


def _sweep(seen: Seen, at: float) -> int:
    """Number of the sweep that a reading belongs to."""
    return max(0, bisect_right(seen.series.sweeps_ns, at) - 1)


def _inside(at: float, spans: List[Span]) -> bool:
    return any(begin <= at <= end for begin, end in spans)
