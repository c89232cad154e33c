"""Crosschecks and exported times as Markdown: the figures, which rule gave each, and what to know with them."""

from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy

from harness.host.crosscheck.exported import Exported
from harness.host.crosscheck.outcome import Compared, Crosscheck
from harness.host.progress import label
from harness.host.report.table import Table, markdown
from harness.host.report.wording import figure, milliseconds, times
from harness.host.stats import trtexec as theirs
from harness.host.stats.summary import summarize

COLUMNS = ("min", "max", "mean", "median", *(f"p{one}" for one in theirs.PERCENTILES), "CV %")
PERCENTILE_RULES = (
    "trtexec's percentile is the sample of rank n - 1 - int((1 - p/100) n) from 0, in single precision, never between "
    "two; ours is type 7, which interpolates"
)


def crosscheck(one: Crosscheck) -> str:
    """What one experiment came to: a heading, a table, and the caveats as a list."""
    lines = [f"{label(one.experiment)}, engine {one.engine or 'none'}"]
    if one.trtexec is not None:
        run = one.trtexec
        lines.append(f"trtexec of TensorRT {run.version} (from {run.place}): {' '.join(run.arguments)}")
    if one.status != "ok":
        return "\n".join([*lines, f"{one.status}: {one.reason}"])
    head = ["quantity", "figure", "ours:", "rounds", "trtexec:", "ours / trtexec:", "bar", "verdict"]
    lines += ["", markdown(Table(head, [_row(row) for row in one.compared])), ""]
    lines.append(f"- ours: of every round, and the middle one; trtexec: without its first {one.left_out} queries")
    return "\n".join([*lines, *(f"- {note}" for note in one.notes)])


def _row(row: Compared) -> List[str]:
    spell: Callable[[float], str] = milliseconds if row.unit == "ns" else figure
    unit = "ms" if row.unit == "ns" else row.unit
    return [
        row.quantity,
        row.statistic,
        f"{spell(row.ours)} {unit}",
        f"{spell(row.low)} to {spell(row.high)}",
        f"{spell(row.theirs)} {unit}",
        times(row.ours / row.theirs) if row.theirs else "-",
        row.bar or "shown",
        row.verdict or "-",
    ]


def figures(found: Exported) -> Dict[str, Any]:
    """The same for programs, in ms."""
    listed = {
        name: {"trtexec": theirs.summarize(samples)._asdict(), "ours": dict(zip(COLUMNS, _ours(samples)))}
        for name, samples in _quantities(found)
    }
    return {"queries": len(found.queries), "walltime_ms": found.span_ms, "quantities": listed}


def summary(found: Exported, where: str, left_out: int) -> str:
    """What trtexec would print of these queries, by its rules and with its six digits, and beside it what we would."""
    n = len(found.queries)
    lines = [
        f"{where}: {n} queries, written by {'TensorRT 8.2 or older' if found.oldest else 'a TensorRT newer than 8.2'}"
    ]
    if left_out:
        lines[0] += f"; the first {left_out} of the file are left out"
    head = ["ms", "rule", *(f"{name}:" for name in COLUMNS)]
    rows: List[Sequence[str]] = []
    for name, samples in _quantities(found):
        rows += [[name, "trtexec", *_by_trtexec(samples)], ["", "ours", *(_six(one) for one in _ours(samples))]]
    lines += ["", markdown(Table(head, rows)), ""]
    lines += [f"Throughput: {_six(n / found.span_ms * 1000)} qps"] if found.span_ms else []
    compute = theirs.summarize(found.column("compute_ms"))
    lines += [f"Total Host Walltime: {_six(found.span_ms / 1000)} s"]
    lines += [f"Total GPU Compute Time: {_six(compute.mean * n / 1000)} s"]
    return "\n".join([*lines, "", *(f"- {note}" for note in _notes(found, left_out))])


def _notes(found: Exported, left_out: int) -> List[str]:
    n = len(found.queries)
    notes = [PERCENTILE_RULES]
    if theirs.rank(n, 99) == n - 1:
        notes.append(f"of {n} queries trtexec's p99 is the largest")
    notes.append("enqueue, throughput and walltime are taken from moments that the file rounds to six digits")
    notes.append("CV: trtexec divides by n, ours by n - 1; its last digit depends on how trtexec was compiled")
    if found.early() and not left_out:
        notes.append(
            f"{found.early()} of them began within trtexec's usual warm-up of 200 ms: up to 8.4 warm-up is in the file "
            f"and not in what is printed; with DROP={found.early()} it is left out here too"
        )
    return notes


def _quantities(found: Exported) -> List[Tuple[str, List[float]]]:
    listed = [("Latency", found.column("latency_ms")), ("Enqueue Time", found.enqueue_ms)]
    if found.oldest:
        listed.insert(1, ("End-to-End Host Latency", found.column("end_to_end_ms")))
    listed += [("H2D Latency", found.column("h2d_ms")), ("GPU Compute Time", found.column("compute_ms"))]
    return [*listed, ("D2H Latency", found.column("d2h_ms"))]


def _by_trtexec(samples: Sequence[float]) -> List[str]:
    one = theirs.summarize(samples)
    values = (one.min, one.max, one.mean, one.median, *one.percentiles.values(), one.cv_percent)
    return [_six(value) for value in values]


def _ours(samples: Sequence[float]) -> List[float]:
    """By the functions of every report, which take nanoseconds."""
    values_ns = [round(sample * 1e6) for sample in samples]
    one = summarize(values_ns)
    percentiles = [float(value) / 1e6 for value in numpy.percentile(values_ns, theirs.PERCENTILES)]
    cv_percent = one.std_ns / one.mean_ns * 100 if one.mean_ns else float("inf")
    return [one.min_ns / 1e6, one.max_ns / 1e6, one.mean_ns / 1e6, one.median_ns / 1e6, *percentiles, cv_percent]


def _six(value: float) -> str:
    return f"{value:.6g}"
