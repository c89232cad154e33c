"""The latency table for programs (`summary.csv`) and for a terminal or an e-mail (`baseline.txt`)."""

import csv
import io
from typing import Dict, List, Mapping, Sequence

from msgspec import UNSET

from harness.host.report import wording
from harness.host.report.collect import Row
from harness.host.report.energy import of_row
from harness.host.report.sensed import OfRows
from harness.host.runs import Run
from harness.host.stats.rate import rate
from harness.records.verdict import LIMITED

COLUMNS = [
    "model",
    "precision",
    "batch",
    "backend",
    "variant",
    "threads",
    "io_memory",
    "issue_mode",
    "cuda_graph",
    "options",
    "build_number",
    "board",
    "status",
    "rounds_ok",
    "rounds_planned",
    "n",
    "mean_ns",
    "std_ns",
    "min_ns",
    "median_ns",
    "max_ns",
    "p95_ns",
    "p99_ns",
    "fps",
    "h2d_median_ns",
    "enqueue_median_ns",
    "d2h_median_ns",
    "total_median_ns",
    "device_median_ns",
    "per_second_median",
    "per_second_min",
    "per_second_max",
    "per_second_low",
    "per_second_high",
    "executed",
    "relative_rms",
    "engine_key",
    "build_seconds",
    "engine_bytes",
    "precision_source",
    "reformats",
    "device_memory_bytes",
    "io_bytes",
    "peak_rss_bytes",
    "gross_mj",
    "gross_half_mj",
    "above_idle_mj",
    "power_w",
    "energy_rounds",
    "integrity",
    "hardware",
    "limited_share",
    "notes",
]


def summary_csv(rows: Sequence[Row], planned: Mapping[str, int], sensed: OfRows) -> str:
    """One line per experiment, also where nothing was measured; times in nanoseconds, empty where there is none.

    `planned` is the number of rounds by board. Energy is of an inference, the mean over rounds; its half-width is that
    of the report. `limited_share` is the largest share of a round's iterations that any limit affected.
    Rows of throughput have rates instead: inferences per second over the rounds, and their 95 % interval.
    """
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        build, inference = row.experiment.build, row.experiment.inference
        line = {
            "model": build.model,
            "precision": build.precision,
            "batch": build.batch,
            "backend": build.backend,
            "variant": row.variant,
            "threads": inference.threads,
            "io_memory": inference.io_memory,
            "issue_mode": inference.issue_mode,
            "cuda_graph": str(inference.cuda_graph is True).lower(),
            "options": " ".join(f"{name}={value}" for name, value in (build.options or {}).items()),
            "build_number": "" if build.build_number is UNSET else build.build_number,
            "board": row.experiment.system.board,
            "status": "/".join(sorted({result.status for result in row.results})) or "missing",
            "rounds_ok": len(row.times_ns),
            "rounds_planned": planned[row.experiment.system.board],
            **_beside_times(row, sensed),
            "notes": "; ".join([*row.badges, *dict.fromkeys(one.reason for one in row.results if one.reason)]),
        }
        if row.engine is not None:
            line.update(
                engine_key=row.engine.key,
                build_seconds=row.engine.build_seconds,
                engine_bytes=sum(row.engine.files.values()),
                precision_source=row.engine.precision_source,
                reformats=row.engine.reformats,
                device_memory_bytes=row.engine.device_memory_bytes,
                executed=" ".join(f"{name}:{count}" for name, count in sorted(row.engine.executed.items())),
            )
        if row.accuracy is not None:
            line["relative_rms"] = f"{max(one.relative_rms for one in row.accuracy.outputs):.6g}"
        if row.ok:
            found, parts = row.summary, row.parts
            line.update({name: round(value, 1) for name, value in found._asdict().items()})
            line["fps"] = round(found.fps(build.batch), 3)
            line.update(h2d_median_ns=parts.h2d_ns, enqueue_median_ns=parts.enqueue_ns, d2h_median_ns=parts.d2h_ns)
            line.update(total_median_ns=parts.total_ns, device_median_ns=parts.device_ns)
        if row.per_second:
            rates = rate(list(row.per_second.values()))._asdict()
            line.update({f"per_second_{name}": value and round(value, 3) for name, value in rates.items()})
        writer.writerow(line)
    return buffer.getvalue()


def _beside_times(row: Row, sensed: OfRows) -> Dict[str, object]:
    """Memory, energy and verdicts; only what there is."""
    measured = [one for one in row.results if one.samples is not None]
    found: Dict[str, object] = {
        "io_bytes": max((one.io_bytes for one in measured if one.io_bytes is not None), default=None),
        "peak_rss_bytes": max((one.peak_rss_bytes for one in measured), default=0) or None,
        "integrity": "/".join(sorted({one.integrity.verdict for one in measured if one.integrity is not None})),
        "hardware": "/".join(sorted({one.hardware.verdict for one in measured if one.hardware is not None})),
    }
    causes = [cause for one in measured if one.hardware is not None for cause in one.hardware.causes]
    shares = [cause.share for cause in causes if cause.weight == LIMITED and cause.share is not None]
    found["limited_share"] = round(max(shares), 4) if shares else None
    joules = of_row(row, sensed)
    if joules.told:
        gross, above = joules.gross, joules.above_idle
        found.update(gross_mj=round(gross.value * 1e3, 6), gross_half_mj=round(gross.half * 1e3, 6))
        found.update(power_w=round(joules.power_w, 4), energy_rounds=len(joules.told))
        if above:
            found["above_idle_mj"] = round(sum(value for value, _ in above.values()) / len(above) * 1e3, 6)
    return found


def baseline_txt(run: Run, rows: Sequence[Row], headline: str, rounds: int) -> str:
    """Plain text: what was measured and the table of figures, nothing else."""
    names = ("mean", "std", "min", "max", "P95", "P99")
    head = f"{'model':<26}{'engine':<24}{'thr':>4}{''.join(f'{name:>10}' for name in names)}{'FPS':>8}"
    lines: List[str] = [
        run.plan.title,
        f"{run.name}, milliseconds, {rounds} rounds",
        "",
        head,
        "-" * len(head),
    ]
    for row in rows:
        if row.per_second:
            per_second = wording.rate(rate(list(row.per_second.values())).median)
            lines.append(
                f"{_cut(wording.setting(row.experiment), 25):<26}{_cut(_name(row), 23):<24}"
                f"{row.experiment.inference.threads:>4}  {per_second} inferences a second{' *' if row.badges else ''}"
            )
            continue
        if not row.ok:
            status = ", ".join(sorted({result.status for result in row.results})) or "missing"
            lines.append(f"{_cut(wording.setting(row.experiment), 25):<26}{_cut(_name(row), 23):<24}{status:>4}")
            continue
        one = row.summary
        figures = (one.mean_ns, one.std_ns, one.min_ns, one.max_ns, one.p95_ns, one.p99_ns)
        mean, std, low, high, p95, p99 = (wording.milliseconds(value) for value in figures)
        fps = f"{one.fps(row.experiment.build.batch):.1f}" if row.computes else "-"
        mark = " *" if row.badges else ""
        lines.append(
            f"{_cut(wording.setting(row.experiment), 25):<26}{_cut(_name(row), 23):<24}"
            f"{row.experiment.inference.threads:>4}{mean:>10}{std:>10}{low:>10}{high:>10}{p95:>10}{p99:>10}{fps:>8}{mark}"
        )
    if any(row.badges for row in rows if row.measured):
        lines += ["", "* see the notes in report.md: shortened by its budget, or executed in another precision"]
    return "\n".join([*lines, "", headline, ""])


def _name(row: Row) -> str:
    return wording.long(row.experiment, row.variant)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "~"
