"""The report's tables: functions from rows to cells."""

from typing import Dict, List, Optional, Sequence, Tuple

from harness.host.report import wording
from harness.host.report.collect import Row
from harness.host.report.language import _
from harness.host.report.table import Footnotes, Table
from harness.host.stats import percentiles
from harness.host.stats.rate import rate
from harness.records import OutputAccuracy, Result


def name(row: Row) -> str:
    return wording.long(row.experiment, row.variant)


def rounds_ok(row: Row, planned: int) -> str:
    return f"{len(row.medians_ns)}/{planned}"


def latency(rows: Sequence[Row], planned: int, notes: Footnotes) -> Table:
    figures = [_("mean:"), _("std:"), _("min:"), _("median:"), _("max:"), _("P95:"), _("P99:"), _("FPS:"), _("n:")]
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
                notes.mark(row.badges + ([nothing_computed()] if not row.computes else [])),
            ]
        )
    return Table([*named(), *figures, _("rounds:"), _("notes")], lines)


def named() -> List[str]:
    """Headers of the columns by which a row is known."""
    return [_("model"), _("engine"), _("threads:")]


def nothing_computed() -> str:
    return _("computes nothing: this is what the harness itself adds to every row")


def throughput(rows: Sequence[Row], planned: int, notes: Footnotes) -> Table:
    """Rates, by round: never beside latencies, since an inference that overlaps others has no time of its own."""
    lines = []
    for row in rows:
        if not row.per_second:
            continue
        found, inference = rate(list(row.per_second.values())), row.experiment.inference
        interval = _("none")
        if found.low is not None and found.high is not None:
            interval = wording.span(wording.rate(found.low), wording.rate(found.high))
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
                notes.mark(row.badges + ([nothing_computed()] if not row.computes else [])),
            ]
        )
    figures = [_("median:"), _("min:"), _("max:"), _("95 %% interval"), _("images/s:"), _("n:"), _("rounds:")]
    return Table([*named(), *figures, _("notes")], lines)


def percentile_bounds(rows: Sequence[Row]) -> Table:
    lines = []
    for row in rows:
        if not (row.ok and row.computes):
            continue
        cells = []
        for percentile in (50, 95, 99):
            low, high = percentiles.bound(row.compute_ns, percentile)
            missing = _(
                "no bound: n = %(count)s, %(needed)s would do",
                count=len(row.compute_ns),
                needed=percentiles.needed(percentile),
            )
            cells.append(wording.span(wording.milliseconds(low), wording.milliseconds(high) if high else missing))
        threads = str(row.experiment.inference.threads)
        lines.append([wording.setting(row.experiment), name(row), threads, *cells])
    return Table([*named(), _("median"), _("P95"), _("P99")], lines)


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
            values: List[Optional[float]] = [parts.h2d_ns, parts.enqueue_ns, parts.compute_ns, parts.d2h_ns]
            values += [parts.total_ns, *([parts.device_ns] if device else [])]
            lines.append(
                [
                    wording.setting(row.experiment),
                    name(row),
                    str(row.experiment.inference.threads),
                    *(wording.milliseconds(value) for value in values),
                ]
            )
    parts_ = [_("h2d:"), _("enqueue:"), _("compute:"), _("d2h:"), _("total:")]
    return Table([*named(), *parts_, *([_("device:")] if device else [])], lines)


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
                    wording.verdict("within" if one.relative_rms <= row.accuracy.tolerance else "beyond"),
                ]
            )
    errors = [_("max abs:"), _("relative RMS:"), _("cosine:"), _("allowed:"), _("verdict")]
    return Table([*named(), _("output"), *errors], lines)


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
            lines.append(
                [wording.setting(row.experiment), name(row), threads, wording.verdict(status), numbers, reason]
            )
    return Table([*named(), _("status"), _("rounds"), _("reason")], lines)
