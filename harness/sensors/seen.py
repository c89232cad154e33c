"""One measured cell as the rules of verdicts look at it: its iterations on a time axis, and what was sensed then."""

from bisect import bisect_left, bisect_right
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from harness.records import ClockLimits, InferenceOptions, LatencySamples, Telemetry, ThroughputSamples
from harness.sensors.series import Column, Series

Span = Tuple[float, float]
"""Begin and end, in nanoseconds since the first iteration's start."""
ENOUGH = 3
"""A state that fewer consecutive readings show may be a moment between two states: it is not held against the cell."""


class Iterations(NamedTuple):
    starts_ns: Sequence[int]
    ends_ns: Sequence[int]
    span_ns: int
    """Until the last end."""

    def touched(self, span: Span) -> range:
        """Those that were under way within a span. Both columns only grow, or the clock did not."""
        return range(bisect_right(self.ends_ns, span[0]), bisect_left(self.starts_ns, span[1]))

    def share(self, spans: Sequence[Span]) -> float:
        """Of those under way within any of the spans, 0 to 1."""
        return len(self.within(spans)) / max(1, len(self.starts_ns))

    def within(self, spans: Sequence[Span]) -> List[int]:
        found: List[int] = []
        for span in sorted(spans):
            touched = self.touched(span)
            found.extend(range(max(touched.start, found[-1] + 1 if found else 0), touched.stop))
        return found


class Seen:
    def __init__(
        self,
        samples: Union[LatencySamples, ThroughputSamples],
        inference: InferenceOptions,
        telemetry: Telemetry,
        series: Series,
        processors: int,
    ) -> None:
        """`processors` is the machine's number of logical CPUs."""
        self.samples, self.inference, self.telemetry = samples, inference, telemetry
        self.series, self.processors = series, processors
        self.iterations = iterations(samples)
        self._during: Dict[str, Column] = {}

    def during(self, name: str) -> Column:
        """Readings of a channel while iterations were measured."""
        if name not in self._during:
            self._during[name] = self.series.column(name).within(0, self.iterations.span_ns)
        return self._during[name]

    def kind(self, kind: str) -> Dict[str, Column]:
        """Channels of a kind that gave a reading meanwhile, by what they are of."""
        found = {name.partition("/")[2]: self.during(name) for name in self.series.kind(kind)}
        return {name: one for name, one in found.items() if len(one.t_ns)}

    def limits(self, clock: str) -> Optional[ClockLimits]:
        before = self.telemetry.before
        return next((one for one in before.clocks if one.name == clock), None) if before is not None else None

    def wraps_at(self, name: str) -> Optional[float]:
        channel = self.telemetry.channel(name)
        return channel.wraps_at if channel is not None else None


def iterations(samples: Union[LatencySamples, ThroughputSamples]) -> Iterations:
    if isinstance(samples, ThroughputSamples):
        ends = samples.end_ns
    else:
        ends = [start + total for start, total in zip(samples.start_ns, samples.total_ns())]
    return Iterations(samples.start_ns, ends, max(ends, default=0))


def runs(times_ns: Sequence[int], flags: Sequence[bool]) -> List[Span]:
    """Spans of ENOUGH flagged readings in a row, or of all of them where there are fewer; each reading stands for the
    time halfway to its neighbours."""
    least = min(ENOUGH, len(flags))
    found: List[Span] = []
    begin = None
    for index, flag in enumerate([*flags, False]):
        if flag and begin is None:
            begin = index
        elif not flag and begin is not None:
            if index - begin >= least:
                found.append((_edge(times_ns, begin), _edge(times_ns, index)))
            begin = None
    return found


def _edge(times_ns: Sequence[int], index: int) -> float:
    """Between reading `index` and the one before; open where there is none."""
    if index == 0:
        return float("-inf")
    return float("inf") if index == len(times_ns) else (times_ns[index - 1] + times_ns[index]) / 2
