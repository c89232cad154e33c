"""Whether the clocks of a cell are what its times need: looked at once, right after the iterations that they timed.

The device's clock is held against the host's, which waited for it: what the device says cannot be more altogether. Of
single iterations, and of how fast the host's clock runs, the rules of integrity judge.
"""

from typing import Callable, List, NamedTuple, Optional, Union

from harness.records import LatencySamples, ThroughputSamples

Clock = Callable[[], int]
"""Nanoseconds."""
READINGS, MOST_READINGS = 2_000, 500_000
"""Back to back, a tenth of a millisecond; more of them until the clock has moved at all."""
COARSE = 0.02
"""A step of the clock that is more than this part of an inference would decide its figures."""
RESOLUTION_NS, APART = 1_000, 0.002
"""By so much of each iteration, and by this part of the whole, a device's clock may say more: it has a resolution of
half a microsecond at either end, and tells milliseconds in single precision."""


class Steps(NamedTuple):
    """Of a clock that is read back to back."""

    smallest_ns: Optional[int]
    """Forward; None where it never moved."""
    back_ns: int
    """The largest step backwards; 0 is none."""


def steps(clock: Clock) -> Steps:
    smallest: Optional[int] = None
    back = 0
    last = clock()
    for done in range(MOST_READINGS):
        if done >= READINGS and smallest is not None:
            break
        now = clock()
        if now < last:
            back = max(back, last - now)
        elif now > last and (smallest is None or now - last < smallest):
            smallest = now - last
        last = now
    return Steps(smallest, back)


def wrong(samples: Union[LatencySamples, ThroughputSamples], clock: Clock, computes: bool) -> str:
    """What is wrong with the clocks, in words; empty where nothing is.

    An engine that does not compute takes no longer than a few steps of any clock: it shows how coarse that is.
    """
    found = _host(steps(clock), _inference_ns(samples), computes)
    if isinstance(samples, LatencySamples) and samples.device_ns is not None:
        found += _device(samples.device_ns, samples.compute_ns)
    return "; ".join(found)


def _host(found: Steps, inference_ns: float, computes: bool) -> List[str]:
    if found.back_ns:
        return [f"read back to back, the clock stepped back by {found.back_ns} ns"]
    if found.smallest_ns is None:
        return [f"the clock did not move in {MOST_READINGS} readings"]
    if computes and found.smallest_ns > COARSE * inference_ns:
        part = found.smallest_ns / max(1.0, inference_ns)
        return [f"the clock moves by {found.smallest_ns} ns at a time, {part:.0%} of an inference"]
    return []


def _device(device_ns: List[int], host_ns: List[int]) -> List[str]:
    device, host = sum(device_ns), sum(host_ns)
    if not device:
        return [f"the device's clock says 0 for all of {len(device_ns)} iterations"]
    if device > (1 + APART) * host + RESOLUTION_NS * len(host_ns):
        more = (device / host - 1) * 100
        return [
            f"the device's clock says {more:.1f} % more in all iterations together than the host that waited for it"
        ]
    return []


def _inference_ns(samples: Union[LatencySamples, ThroughputSamples]) -> float:
    if isinstance(samples, LatencySamples):
        ordered = sorted(samples.compute_ns)
        return ordered[len(ordered) // 2]
    return samples.span_ns / samples.count
