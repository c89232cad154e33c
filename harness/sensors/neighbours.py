"""Who else used the processor that was measured: other processes, and a hypervisor that gave its time away."""

from bisect import bisect_left
from typing import Iterator, List, Tuple

from harness.records import Cause
from harness.records.verdict import LIMITED
from harness.sensors.seen import Seen, Span, runs
from harness.sensors.series import Column

BUSY = 0.05
"""Share of all processors' time that others may take; a system at rest takes below 1 %."""
STOLEN = 0.01
LOADED = 50
"""Thousandths of a GPU's load before our engine is there."""
STEP_NS = 1_000_000_000
"""The kernel counts in hundredths of a second: below a second, their grain is all that one sees."""
ALONE = "end what else runs, or leave it a processor (fewer THREADS)"


def found(seen: Seen) -> List[Cause]:
    return [*_on_gpu(seen), *_before(seen), *_on_cpu(seen)]


def _on_gpu(seen: Seen) -> Iterator[Cause]:
    column = seen.during("processes/gpu")
    spans = runs(column.t_ns, [value > 0 for value in column.value])
    if seen.inference.processor == "gpu" and spans:
        reason = f"{max(column.value):.0f} other processes computed on the GPU"
        advice = "nvidia-smi names them; end them and measure again"
        share = seen.iterations.share(spans)
        yield Cause(code="other process", weight=LIMITED, reason=reason, advice=advice, share=share)


def _before(seen: Seen) -> Iterator[Cause]:
    """A Jetson does not say who uses its GPU; what loads it before our engine is there is not ours."""
    if seen.inference.processor != "gpu" or len(seen.telemetry.idle_ns) != 2:
        return
    begin, end = seen.telemetry.idle_ns
    column = seen.series.column("load/gpu").within(begin, end)
    if runs(column.t_ns, [value > LOADED for value in column.value]):
        reason = f"the GPU was loaded to {max(column.value) / 10:.0f} % before the engine was there"
        advice = "end what else uses the GPU (a desktop session, a camera pipeline) and measure again"
        yield Cause(code="other process", weight=LIMITED, reason=reason, advice=advice)


def _on_cpu(seen: Seen) -> Iterator[Cause]:
    if seen.inference.processor != "cpu":
        return
    own = ("cpu_time/worker", "cpu_time/sampler")
    grown = _steps(seen, ("cpu_time/all", *own))
    busy = [(span, (values[0] - sum(values[1:])) / _most(seen, span)) for span, values in grown]
    yield from _cause(seen, busy, BUSY, "other processes took", "other process", ALONE)
    stolen = [(span, values[0] / _most(seen, span)) for span, values in _steps(seen, ("cpu_time/stolen",))]
    advice = "a machine that is not shared, or a quieter hour"
    yield from _cause(seen, stolen, STOLEN, "the hypervisor gave others", "stolen time", advice)


def _cause(
    seen: Seen, shares: List[Tuple[Span, float]], most: float, words: str, code: str, advice: str
) -> Iterator[Cause]:
    """Judged over all of the cell; the share of iterations is that of the seconds above the limit."""
    spans = [span for span, share in shares if share > most]
    total = sum(end - begin for (begin, end), _ in shares)
    over_all = sum(share * (end - begin) for (begin, end), share in shares) / total if total else 0.0
    if spans and over_all > most:
        worst = max(share for _, share in shares)
        reason = f"{words} {over_all * 100:.0f} % of the processors' time, {worst * 100:.0f} % at the worst"
        yield Cause(code=code, weight=LIMITED, reason=reason, advice=advice, share=seen.iterations.share(spans))


def _steps(seen: Seen, names: Tuple[str, ...]) -> List[Tuple[Span, List[float]]]:
    """Spans of at least a second within the iterations, and by how much each counter grew."""
    columns = [seen.during(name) for name in names]
    if any(len(column.t_ns) < 2 for column in columns):
        return []
    found, begin = [], columns[0].t_ns[0]
    for at in columns[0].t_ns:
        if at - begin >= STEP_NS:
            found.append(((float(begin), float(at)), [_at(one, at) - _at(one, begin) for one in columns]))
            begin = at
    return found


def _at(column: Column, moment: float) -> float:
    """The counter at a moment, by the straight line between its readings."""
    index = min(max(1, bisect_left(column.t_ns, moment)), len(column.t_ns) - 1)
    early, late = column.t_ns[index - 1], column.t_ns[index]
    part = min(1.0, max(0.0, (moment - early) / max(1, late - early)))
    return column.value[index - 1] + (column.value[index] - column.value[index - 1]) * part


def _most(seen: Seen, span: Span) -> float:
    """Seconds of all processors in a span."""
    return max(1, seen.processors) * (span[1] - span[0]) / 1e9
