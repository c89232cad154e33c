"""The integral of what a power sensor or an energy counter told over windows of time, and its standard uncertainty."""

import math
from typing import List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy

from harness.host.readings import Column

COUNTERS = {"uJ": 1e-6, "mJ": 1e-3}
POWERS = {"mW": 1e-3}
SQRT12 = math.sqrt(12)
"""Of what lies anywhere in an interval with equal chance, the standard deviation is the interval over this."""


class Integral(NamedTuple):
    """Over one or more windows."""

    joules: float
    ends_j: float
    """Standard uncertainty of where the windows begin and end for the sensor; common to all rails of a board."""
    noise_j: float
    """Standard uncertainty of the mean between, by how much and how often values changed; each rail's own."""
    updates: float


class Refused(NamedTuple):
    reason: str


def integrate(
    column: Column, windows: Sequence[Tuple[float, float]], unit: str, wraps_at: Optional[float] = None
) -> Union[Integral, Refused]:
    """Over windows in seconds, each with a reading at or before its begin and at or after its end.

    Power by the trapezoid rule, with both ends on the straight lines between the readings around them; counters by
    their difference between such ends.
    """
    times = column.t_ns / 1e9
    counter = unit in COUNTERS
    values = column.value * (COUNTERS[unit] if counter else POWERS[unit])
    if counter:
        values = _unwrapped(values, None if wraps_at is None else wraps_at * COUNTERS[unit])
        if (numpy.diff(values) < 0).any():
            return Refused("was set back to a smaller value meanwhile")
    update_s = _update_s(times, values, windows)
    if update_s is None:
        return Refused("never changed its value: nobody can tell how often it has a new one")
    joules = ends = noise = seconds = 0.0
    for begin, end in windows:
        inside = (times > begin) & (times < end)
        at = numpy.concatenate([[begin], times[inside], [end]])
        height = numpy.interp(at, times, values)
        seconds += end - begin
        if counter:
            joules += float(height[-1] - height[0])
            # Each end reads a counter that was last moved on up to an interval ago.
            ends += 2 * (update_s * float(height[-1] - height[0]) / (end - begin) / SQRT12) ** 2
            continue
        joules += float(((height[1:] + height[:-1]) / 2 * numpy.diff(at)).sum())
        ends += sum((update_s * jump / SQRT12) ** 2 for jump in _jumps(times, values, begin, end))
        spread = float(values[inside].std(ddof=1)) if inside.sum() > 1 else 0.0
        noise += (spread * math.sqrt((end - begin) * update_s)) ** 2  # s / sqrt(T / u), times T
    return Integral(joules, math.sqrt(ends), math.sqrt(noise), seconds / update_s)


def watts(column: Column, unit: str, wraps_at: Optional[float] = None) -> Optional[Column]:
    """Power over time: as it was read, or of a counter what it grew by between two readings, halfway between them.

    None where a counter was set back, or was read less than twice.
    """
    if unit in POWERS:
        return Column(column.t_ns, column.value * POWERS[unit])
    joules = _unwrapped(column.value * COUNTERS[unit], None if wraps_at is None else wraps_at * COUNTERS[unit])
    steps = numpy.diff(column.t_ns) / 1e9
    grown = numpy.diff(joules)
    if not len(grown) or (grown < 0).any() or (steps <= 0).any():
        return None
    return Column(column.t_ns[1:] - numpy.diff(column.t_ns) // 2, grown / steps)


def _jumps(times: numpy.ndarray, values: numpy.ndarray, begin: float, end: float) -> List[float]:
    """How much the power around each end of a window differs from the mean within: by that a late reading is off."""
    inside = values[(times >= begin) & (times <= end)]
    middle = float(inside.mean()) if len(inside) else float(numpy.interp((begin + end) / 2, times, values))
    before, after = values[times <= begin][-1], values[times >= end][0]
    return [abs(float(before) - middle), abs(float(after) - middle)]


def _update_s(times: numpy.ndarray, values: numpy.ndarray, windows: Sequence[Tuple[float, float]]) -> Optional[float]:
    """Median time between two changes of value, in and around the windows; at least that between two readings."""
    begin, end = min(one[0] for one in windows) - 1, max(one[1] for one in windows) + 1
    near = (times >= begin) & (times <= end)
    moments, seen = times[near], values[near]
    changed = moments[1:][numpy.diff(seen) != 0]
    if len(changed) < 2:
        return None
    return float(max(numpy.median(numpy.diff(changed)), numpy.median(numpy.diff(moments))))


def _unwrapped(values: numpy.ndarray, wraps_at: Optional[float]) -> numpy.ndarray:
    """A counter as if it had never begun anew; one that was set back stays smaller.

    It began anew where it was in the upper half of its range and is in the lower one now, as in `sensors/series.py`.
    """
    steps = numpy.diff(values)
    if wraps_at is not None:
        anew = (steps < 0) & (values[:-1] > wraps_at / 2) & (values[1:] < wraps_at / 2)
        steps = numpy.where(anew, steps + wraps_at, steps)
    return numpy.concatenate([values[:1], values[0] + numpy.cumsum(steps)]) if len(values) else values
