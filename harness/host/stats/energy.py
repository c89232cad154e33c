"""Energy of an inference: an integral of sensed power over the measured iterations, and how sure it is; or why not.

Uncertainties are standard ones (JCGM 100:2008, one sigma; twice that covers about 95 %) and come from when the sensor
was read and when it had a new value. They are wide rather than narrow: a value is taken for that of a moment, though
many sensors average over the time since the last one. The sensor's own accuracy is not among them: it is the same for
every engine on a board, and nobody tells it.
"""

import math
from typing import List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy

from harness.host.readings import Column, Columns
from harness.host.stats.integral import Integral, Refused, integrate
from harness.records import Channel, Result, Telemetry, ThroughputSamples

LEAST_S, LEAST_UPDATES = 2.0, 20
"""Below this an integral is made of too few values of the sensor to be one."""
LEAST_IDLE_S, LEAST_IDLE_UPDATES = 1.0, 10
GAP_S, GAP_INTERVALS = 0.5, 3
"""Longest time between two readings, or so many intervals; what happened in between would be made up."""
RESOLVED = 0.25
"""A value whose standard uncertainty is larger than this part of it is not resolved."""


class Energy(NamedTuple):
    """Of one inference (of whatever batch), in joules; standard uncertainties beside."""

    gross_j: float
    gross_u_j: float
    above_idle_j: Optional[float]
    """Without what the machine takes at rest; None where that was not measured or is not resolved."""
    above_idle_u_j: Optional[float]
    above_idle_reason: str
    """Why there is none."""
    power_w: float
    """Mean, over the iterations."""
    idle_w: Optional[float]
    means: str
    """What is included: `the module's input, rail VDD_IN`."""
    updates: float
    """New values of the slowest sensor within the iterations."""


def of_cell(result: Result, columns: Columns) -> Union[Energy, Refused]:
    """The energy of an inference of a measured cell."""
    telemetry, samples = result.telemetry, result.samples
    if telemetry is None or samples is None:
        return Refused("no sensor was looked at")
    channels = [one for one in (telemetry.channel(name) for name in telemetry.total) if one is not None]
    if not channels:
        reasons = [f"{one.name}: {one.reason}" for one in telemetry.channels if _tells_power(one) and one.reason]
        return Refused("this machine does not tell its power" + (f" ({'; '.join(reasons)})" if reasons else ""))
    if isinstance(samples, ThroughputSamples):
        end_ns = max(samples.end_ns)
    else:
        end_ns = samples.start_ns[-1] + samples.total_ns()[-1]
    window = (0.0, end_ns / 1e9)
    if window[1] < LEAST_S:
        return Refused(f"its iterations span {window[1]:.2g} s; at least {LEAST_S:g} s are needed (MIN_SECONDS)")
    whole = _sum(channels, columns, telemetry, window, LEAST_UPDATES)
    if isinstance(whole, Refused):
        return whole
    return _per_inference(whole, window, samples.count, _idle(channels, columns, telemetry), telemetry.total_means)


def _per_inference(
    whole: Integral, window: Tuple[float, float], count: int, idle: "Union[Integral, Refused]", means: str
) -> Union[Energy, Refused]:
    seconds = window[1] - window[0]
    gross_u = math.hypot(whole.ends_j, whole.noise_j)
    if whole.joules <= 0 or gross_u > RESOLVED * whole.joules:
        about = f"{whole.joules / count * 1e3:.3g} mJ with a standard uncertainty of {gross_u / count * 1e3:.3g} mJ"
        return Refused(f"below what the sensor resolves: {about}")
    above: Optional[float] = None
    above_u: Optional[float] = None
    idle_w: Optional[float] = None
    reason = ""
    if isinstance(idle, Refused):
        reason = idle.reason
    else:
        idle_w = idle.joules  # the integral over one second, see `_idle`
        rest = whole.joules - idle_w * seconds
        rest_u = math.hypot(gross_u, math.hypot(idle.ends_j, idle.noise_j) * seconds)
        if rest > 2 * rest_u:
            above, above_u = rest / count, rest_u / count
        else:
            reason = f"not more than at rest ({idle_w:.3g} W), within twice the uncertainty"
    return Energy(
        gross_j=whole.joules / count,
        gross_u_j=gross_u / count,
        above_idle_j=above,
        above_idle_u_j=above_u,
        above_idle_reason=reason,
        power_w=whole.joules / seconds,
        idle_w=idle_w,
        means=means,
        updates=whole.updates,
    )


def _idle(channels: Sequence[Channel], columns: Columns, telemetry: Telemetry) -> Union[Integral, Refused]:
    """Power at rest, as the integral over one second."""
    if len(telemetry.idle_ns) != 2:
        return Refused("the machine was not watched at rest")
    begin, end = (at / 1e9 for at in telemetry.idle_ns)
    # Within: at its ends the machine was still starting the sampler, and already loading the engine.
    first, last = _inner(columns, channels, begin, end)
    if last - first < LEAST_IDLE_S:
        return Refused(f"the machine was watched at rest for {max(0.0, last - first):.2g} s only")
    found = _sum(channels, columns, telemetry, (first, last), LEAST_IDLE_UPDATES)
    if isinstance(found, Refused):
        return Refused(f"at rest {found.reason}")
    seconds = last - first
    return Integral(found.joules / seconds, found.ends_j / seconds, found.noise_j / seconds, found.updates)


def _inner(columns: Columns, channels: Sequence[Channel], begin: float, end: float) -> Tuple[float, float]:
    """The part of a time that every channel was read at both ends of."""
    inside = [
        [at / 1e9 for at in columns[one.name].t_ns if begin <= at / 1e9 <= end]
        for one in channels
        if one.name in columns
    ]
    if not inside or not all(inside):
        return begin, begin
    return max(one[0] for one in inside), min(one[-1] for one in inside)


def _sum(
    channels: Sequence[Channel], columns: Columns, telemetry: Telemetry, window: Tuple[float, float], least: int
) -> Union[Integral, Refused]:
    """Of all channels. What is common to them adds up, what is each one's own adds in squares."""
    found: List[Integral] = []
    for channel in channels:
        column = columns.get(channel.name)
        if column is None:
            return Refused(f"{channel.name} was not read: {channel.reason or 'no reason given'}")
        gap = _gap(column, window, max(GAP_S, GAP_INTERVALS * telemetry.interval_s))
        if gap:
            return Refused(f"{channel.name} {gap}" + (f": {channel.reason}" if channel.reason else ""))
        one = integrate(column, [window], channel.unit, channel.wraps_at)
        if isinstance(one, Refused):
            return Refused(f"{channel.name} {one.reason}")
        if one.updates < least:
            return Refused(f"{channel.name} had {one.updates:.0f} new values in that time; at least {least} are needed")
        found.append(one)
    return Integral(
        joules=sum(one.joules for one in found),
        ends_j=sum(one.ends_j for one in found),
        noise_j=math.sqrt(sum(one.noise_j**2 for one in found)),
        updates=min(one.updates for one in found),
    )


def _gap(column: Column, window: Tuple[float, float], most_s: float) -> str:
    """What keeps readings from covering a window, from the last one before it to the first one after it."""
    times = column.t_ns / 1e9
    before, after = numpy.flatnonzero(times <= window[0]), numpy.flatnonzero(times >= window[1])
    if not len(before) or not len(after):
        return "was not read before the first and after the last iteration"
    bracket = times[before[-1] : after[0] + 1]
    gap = float(numpy.diff(bracket).max())
    return f"was not read for {gap:.2g} s" if gap > most_s else ""


def _tells_power(channel: Channel) -> bool:
    return channel.name.startswith(("power/", "energy/"))
