"""The report's tables: functions from rows to cells."""

from typing import Dict, List, Sequence, Tuple

from harness.host.report import wording
from harness.host.report.collect import Row
from harness.host.report.table import Footnotes, Table
from harness.host.stats import percentiles
from harness.host.stats.rate import rate
from harness.records import OutputAccuracy, Result


def name(row: Row) -> str:
    return wording.long(row.experiment, row.variant)


def rounds_ok(row: Row, planned: int) -> str:
    return f"{len(row.medians_ns)}/{planned}"


def latency(rows: Sequence[Row], planned: int, notes: Footnotes) -> Table:
    headers = ["model", "engine", "threads:", "mean:", "std:", "min:", "median:", "max:", "P95:", "P99:", "FPS:", "n:"]
    lines = []
    for row in rows:
        if not row.ok:
            continue
        found, build = row.summary, row.experiment.build
        values = (found.mean_ns, found.std_ns, found.min_ns, found.median_ns, found.max_ns, found.p95_ns, found.p99_ns)
        lines.append(
            [
                wording.setting(row.experiment),
                name(row),
                str(row.experiment.inference.threads),
                *(wording.milliseconds(value) for value in values),
                f"{found.fps(build.batch):.1f}" if row.computes else "-",
                str(found.n),
                rounds_ok(row, planned),
                notes.mark(row.badges + ([NOTHING_COMPUTED] if not row.computes else [])),
            ]
        )
    return Table([*headers, "rounds:", "notes"], lines)


NOTHING_COMPUTED = "computes nothing: this is what the harness itself adds to every row"


def throughput(rows: Sequence[Row], planned: int, notes: Footnotes) -> Table:
    """Rates, by round: never beside latencies, since an inference that overlaps others has no time of its own."""
    lines = []
    for row in rows:
        if not row.per_second:
            continue
        found, inference = rate(list(row.per_second.values())), row.experiment.inference
        interval = "none"
        if found.low is not None and found.high is not None:
            interval = f"{wording.rate(found.low)} to {wording.rate(found.high)}"
        counts = [result.samples.count for result in row.results if result.samples is not None]
        lines.append(
            [
                wording.setting(row.experiment),
                name(row),
                str(inference.threads),
                *(wording.rate(value) for value in (found.median, found.min, found.max)),
                interval,
                f"{found.median * row.experiment.build.batch:.1f}" if row.computes else "-",
                str(sum(counts)),
                f"{len(row.per_second)}/{planned}",
                notes.mark(row.badges + ([NOTHING_COMPUTED] if not row.computes else [])),
            ]
        )
    headers = ["model", "engine", "threads:", "median:", "min:", "max:", "95 % interval", "images/s:", "n:", "rounds:"]
    return Table([*headers, "notes"], lines)


def percentile_bounds(rows: Sequence[Row]) -> Table:
    lines = []
    for row in rows:
        if not (row.ok and row.computes):
            continue
        cells = []
        for percentile in (50, 95, 99):
            low, high = percentiles.bound(row.compute_ns, percentile)
            missing = f"no bound: n = {len(row.compute_ns)}, {percentiles.needed(percentile)} would do"
            cells.append(f"{wording.milliseconds(low)} to {wording.milliseconds(high) if high else missing}")
        threads = str(row.experiment.inference.threads)
        lines.append([wording.setting(row.experiment), name(row), threads, *cells])
    return Table(["model", "engine", "threads:", "median", "P95", "P99"], lines)


def times_itself(rows: Sequence[Row]) -> bool:
    """Whether any row has times of its device's own clock."""
    return any(row.ok and row.parts.device_ns is not None for row in rows)


def steps(rows: Sequence[Row]) -> Table:
    """With a column for the device's own clock where any has one."""
    lines = []
    device = times_itself(rows)
    for row in rows:
        if row.ok:
            parts = row.parts
            values = [parts.h2d_ns, parts.enqueue_ns, parts.compute_ns, parts.d2h_ns, parts.total_ns]
            values += [parts.device_ns] if device else []
            lines.append(
                [
                    wording.setting(row.experiment),
                    name(row),
                    str(row.experiment.inference.threads),
                    *(wording.milliseconds(value) for value in values),
                ]
            )
    headers = ["model", "engine", "threads:", "h2d:", "enqueue:", "compute:", "d2h:", "total:"]
    return Table([*headers, *(["device:"] if device else [])], lines)


def accuracy(rows: Sequence[Row]) -> Table:
    """Every output of every engine, once: threads do not change what an engine computes by design."""
    lines = []
    for row in rows:
        if row.accuracy is None:
            continue
        for one in row.accuracy.outputs:
            lines.append(
                [
                    wording.setting(row.experiment),
                    name(row),
                    str(row.experiment.inference.threads),
                    one.output,
                    *_errors(one),
                    f"{row.accuracy.tolerance:g}",
                    "within" if one.relative_rms <= row.accuracy.tolerance else "beyond",
                ]
            )
    headers = ["model", "engine", "threads:", "output", "max abs:", "relative RMS:", "cosine:", "allowed:", "verdict"]
    return Table(headers, lines)


def _errors(one: OutputAccuracy) -> Tuple[str, str, str]:
    return f"{one.max_abs:.2e}", f"{one.relative_rms:.2e}", f"{one.cosine:.9f}"


def shortfalls(rows: Sequence[Row]) -> Table:
    """Cells that are not ok, those of one experiment with one reason together."""
    lines = []
    for row in rows:
        groups: Dict[Tuple[str, str], List[Result]] = {}
        for result in row.results:
            if result.status != "ok":
                groups.setdefault((result.status, result.reason), []).append(result)
        for (status, reason), results in groups.items():
            numbers = ", ".join(str(result.round) for result in results)
            threads = str(row.experiment.inference.threads)
            lines.append([wording.setting(row.experiment), name(row), threads, status, numbers, reason])
    return Table(["model", "engine", "threads:", "status", "rounds", "reason"], lines)
