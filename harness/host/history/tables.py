"""A series as a table: a line for each run, and a line across it wherever the conditions changed."""

import math
from typing import List, Sequence

from harness.host.history.judge import Judged
from harness.host.history.series import Point, Series
from harness.host.report import wording
from harness.host.report.table import Footnotes, Table

BORDER = "== not compared across =="
RUNS_UNKNOWN = (
    "fewer than 3 earlier runs under these conditions: the interval covers the rounds of these very runs, "
    "not how much one run differs from the next"
)


def of_series(series: Series, points: Sequence[Judged], notes: Footnotes) -> Table:
    throughput = series.issue_mode == "throughput"
    figures = ["per second:", "rounds' rates"] if throughput else ["mean ms:", "median ms:", "P95 ms:", "P99 ms:"]
    headers = ["run", "created, UTC", *figures, "n:", "rounds:", "new / earlier:", "95 % interval", "against:"]
    lines: List[List[str]] = []
    for one in points:
        point = one.point
        if point.border:
            lines.append([BORDER, *[""] * len(headers), "; ".join(point.border)])
        marks = ([point.notes] if point.notes else []) + _unknown(one)
        lines.append(
            [
                point.run,
                point.created_utc[:16].replace("T", " "),
                *(_rates(point) if throughput else _latencies(point)),
                str(point.samples),
                f"{point.rounds}/{point.rounds_planned}",
                *_change(one),
                one.verdict,
                "; ".join([*point.said, *([notes.mark(marks)] if marks else [])]),
            ]
        )
    return Table([*headers, "verdict", "changed since the run before"], lines)


def sentence(series: Series, one: Judged) -> str:
    """`TVM untuned, yolov5n 320, ...: run X takes 1.10 times the time of the 5 runs before it, 95 % interval ...`."""
    point, found = one.point, one.change
    assert found is not None and found.low is not None and found.high is not None
    before = f"the {point.earlier_runs} runs" if point.earlier_runs > 1 else "the run"
    interval = f"{wording.times(found.low)} to {wording.times(found.high)}"
    what = f"run {point.run} takes {wording.times(found.value)} times the time of {before} before it"
    changed = f"; changed since the run before: {', '.join(point.said)}" if point.said else ""
    return f"{name(series, [one])}: {one.verdict}: {what}, 95 % interval {interval}{changed}"


def name(series: Series, points: Sequence[Judged]) -> str:
    return f"{called(series, points[-1].point)}, {series.place}"


def called(series: Series, point: Point) -> str:
    """`TVM untuned`: the engine with the first part of its variant."""
    return series.engine(point.variant.split(",", maxsplit=1)[0].strip())


def _latencies(point: Point) -> List[str]:
    figures = (point.mean_ns, point.median_ns, point.p95_ns, point.p99_ns)
    return ["-" if one is None else wording.milliseconds(one) for one in figures]


def _rates(point: Point) -> List[str]:
    if point.log_mean is None or point.least_ns is None or point.most_ns is None:
        return ["-", "-"]
    slowest, fastest = _per_second(point.most_ns), _per_second(point.least_ns)
    return [_per_second(math.exp(point.log_mean)), f"{slowest} to {fastest}"]


def _per_second(time_ns: float) -> str:
    return wording.figure(1e9 / time_ns)


def _change(one: Judged) -> List[str]:
    if one.change is None:
        return ["-", "-", "-"]
    low, high = one.change.low, one.change.high
    interval = "none" if low is None or high is None else f"{wording.times(low)} to {wording.times(high)}"
    return [wording.times(one.change.value), interval, _runs(one.point.earlier_runs)]


def _runs(count: int) -> str:
    return f"{count} run" if count == 1 else f"{count} runs"


def _unknown(one: Judged) -> List[str]:
    judged = one.change is not None and one.change.low is not None
    return [RUNS_UNKNOWN] if judged and not one.point.covers_runs else []
