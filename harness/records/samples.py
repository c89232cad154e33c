"""Floor: raw times, the truth that every figure is derived from; one type an issue mode, and the two never mix.

Lists hold integers of nanoseconds, one entry an iteration.
"""

from typing import List, Optional

from harness.records.record import Record


class BackwardsClock(ValueError):
    """Times that no clock which only goes forward can have told."""


class LatencySamples(Record, frozen=True, tag_field="issue_mode", tag="latency"):
    """One inference at a time, on the host's monotonic clock; consecutive steps share their clock reading.

    h2d | enqueue ... synchronize | d2h, so an iteration's total is exactly h2d + compute + d2h.
    """

    start_ns: List[int]
    """Start of each iteration since the first one's."""
    h2d_ns: List[int]
    """`set_inputs`: host to device; on a CPU a copy into the runtime's buffers."""
    enqueue_ns: List[int]
    """`enqueue` alone, a part of compute."""
    compute_ns: List[int]
    """`enqueue` until `synchronize` returned."""
    d2h_ns: List[int]
    """`get_outputs`: device to host, into buffers made at load."""
    device_ns: Optional[List[int]] = None
    """Compute on the device's own clock, where it has one."""
    origin_ns: int = 0
    """Start of the first iteration on the machine's monotonic clock, which sensors are read by as well."""

    def __post_init__(self) -> None:
        columns = [self.start_ns, self.h2d_ns, self.enqueue_ns, self.compute_ns, self.d2h_ns]
        columns += [self.device_ns] if self.device_ns is not None else []
        if len({len(column) for column in columns}) != 1:
            raise ValueError(f"columns of samples differ in length: {[len(column) for column in columns]}")
        if any(value < 0 for column in columns for value in column):
            least = min(value for column in columns for value in column)
            raise BackwardsClock(f"a sample is negative ({least} ns): the clock ran backwards")

    @property
    def count(self) -> int:
        return len(self.compute_ns)

    def total_ns(self) -> List[int]:
        return [h2d + compute + d2h for h2d, compute, d2h in zip(self.h2d_ns, self.compute_ns, self.d2h_ns)]


class ThroughputSamples(Record, frozen=True, tag_field="issue_mode", tag="throughput"):
    """Inferences that overlap, in slots that take turns: an inference's own time is not to be had, the rate is.

    Of each, on the host's monotonic clock since the first one's start: when its inputs began to be copied, and when its
    outputs were there.
    """

    slots: int
    start_ns: List[int]
    end_ns: List[int]
    origin_ns: int = 0
    """As above."""

    def __post_init__(self) -> None:
        if len(self.start_ns) != len(self.end_ns):
            raise ValueError(f"columns of samples differ in length: {[len(self.start_ns), len(self.end_ns)]}")
        if any(end < start or start < 0 for start, end in zip(self.start_ns, self.end_ns)):
            raise BackwardsClock("an inference ended before it started: the clock ran backwards")

    @property
    def count(self) -> int:
        return len(self.start_ns)

    @property
    def span_ns(self) -> int:
        """From the first start to the last end."""
        return max(self.end_ns) - self.start_ns[0]

    @property
    def per_second(self) -> float:
        """Inferences (of whatever batch), the filling of the slots and their last drain included."""
        return self.count * 1e9 / max(1, self.span_ns)
