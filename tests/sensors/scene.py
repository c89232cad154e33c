"""A cell as the rules of verdicts see it: on a locked Jetson where nothing happens, and what a test makes happen."""

from typing import Callable, Dict, List, Optional, Sequence

import msgspec

from harness.records import BoardState, Channel, ClockLimits, InferenceOptions, LatencySamples, Telemetry
from harness.sensors.seen import Seen
from harness.sensors.series import Column, Series

MS = 1_000_000
CAP = 612_000_000
LOCKED = BoardState(
    power_mode="15W (2)",
    clocks=[
        ClockLimits(name="gpu", min_hz=CAP, max_hz=CAP, highest_hz=918_000_000, mode_hz=CAP),
        ClockLimits(name="cpu0", min_hz=1_420_800_000, max_hz=1_420_800_000),
    ],
    locked=True,
    trips_mc={"tj": {"passive": 99_000, "critical": 104_500}},
)
Value = Callable[[float], float]
"""Seconds since the first iteration to a channel's value."""
QUIET: Dict[str, Value] = {
    "clock/gpu": lambda at: CAP,
    "cap/gpu": lambda at: CAP,
    "clock/cpu0": lambda at: 1_420_800_000,
    "temperature/tj": lambda at: 48_000 + 100 * (int(at * 10) % 3),
    "over_current/oc1": lambda at: 0,
    "over_current/oc3": lambda at: 7,
    "cooling/gpu-throttle-alert": lambda at: 0,
}


def samples(durations_ms: Sequence[float], **more: object) -> LatencySamples:
    compute = [round(one * MS) for one in durations_ms]
    starts = [0]
    for one in compute[:-1]:
        starts.append(starts[-1] + one + 2000)
    count = len(compute)
    columns = {"h2d_ns": [1000] * count, "enqueue_ns": [500] * count, "d2h_ns": [1000] * count}
    return LatencySamples(**{"start_ns": starts, "compute_ns": compute, **columns, **more})


def steady(count: int = 500, each_ms: float = 10) -> List[float]:
    """With a spread of 1 %, in no order that a test of ranks would take for one."""
    return [each_ms * (1 + ((index * 7919) % 101 - 50) / 5000) for index in range(count)]


def scene(
    channels: Optional[Dict[str, Optional[Value]]] = None,
    durations_ms: Optional[Sequence[float]] = None,
    before: Optional[BoardState] = LOCKED,
    after: Optional[BoardState] = None,
    io_memory: str = "pinned",
    interval_s: float = 0.1,
    **telemetry: object,
) -> Seen:
    """A second before the iterations is sensed too, and half a second after them. None takes a channel away."""
    taken = samples(durations_ms or steady())
    values = {name: value for name, value in {**QUIET, **(channels or {})}.items() if value is not None}
    span_s = (taken.start_ns[-1] + taken.total_ns()[-1]) / 1e9
    moments = [index * interval_s - 1 for index in range(int((span_s + 1.5) / interval_s) + 1)]
    sweeps = [round(at * 1e9) for at in moments]
    columns = {
        name: Column([at + MS for at in sweeps], [float(value(at)) for at in moments]) for name, value in values.items()
    }
    wraps = {"over_current": 2.0**32, "throttle_events": 2.0**32}
    told = {
        "interval_s": interval_s,
        "sweeps": len(sweeps),
        "largest_gap_s": interval_s,
        "channels": [
            Channel(name=name, what=f"events of {name}", unit="", source="", wraps_at=wraps.get(name.split("/")[0]))
            for name in values
        ],
        "before": before,
        "after": after or before,
        **telemetry,
    }
    inference = InferenceOptions(threads=1, io_memory=io_memory, iterations=len(taken.start_ns))
    return Seen(taken, inference, Telemetry(**told), Series(sweeps, columns), 8)


def moving(state: BoardState = LOCKED, **change: object) -> BoardState:
    """The state with its GPU's limits changed."""
    clocks = [msgspec.structs.replace(one, **change) if one.name == "gpu" else one for one in state.clocks]
    return msgspec.structs.replace(state, clocks=clocks, locked=False)
