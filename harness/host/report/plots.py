"""Draws a run's latencies as SVG, their distribution and their course; only this module knows matplotlib."""

import io
from typing import Any, Callable, Dict, List, Sequence, Tuple

import matplotlib
import numpy
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from msgspec import UNSET

from harness.host.report import wording
from harness.host.report.collect import Row
from harness.records import LatencySamples

COLOURS = {"onnxruntime": "#3b6fb6", "tvm": "#c8553d", "tensorrt": "#5a8f3c", "tensorrt_rtx": "#8f7a3c"}
OTHER = "#777777"
BINS = 240
MOST_POINTS = 1500
"""Per row and plot; what has more is thinned to its extremes, so that no outlier is lost."""
MOST_MARKERS = 600
"""More points than these are a line without dots."""
MOST_LABELS = 12
GAP = numpy.array([numpy.nan])
WIDTH, RIGHT, BELOW, AROUND = 9.0, 0.2, 0.55, 0.95
"""Inches: of the figure, right of a panel, below it, and above and below it together."""
STYLE: Dict[Any, Any] = {
    "svg.hashsalt": "latency",  # the same run draws the same file
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "figure.facecolor": "white",  # readable on a dark page too
}


def distribution(rows: Sequence[Row]) -> bytes:
    """One panel per model: each row's pooled samples on a logarithmic axis, and a tick at every round's median.

    Rows that compute nothing are left out: they lie a thousand times lower and would squeeze the rest.
    """
    groups = _by_model(rows)
    return _draw([(_shapes, model, each, 0.5 * len(each)) for model, each in groups.items()], left=2.7)


def course(rows: Sequence[Row]) -> bytes:
    """One panel per row: every iteration in the order of time, rounds one after another with a line between."""
    panels = [(_line, model, [row], 0.9) for model, each in _by_model(rows).items() for row in each]
    return _draw(panels, left=0.8)


Panel = Tuple[Callable[[Axes, str, Sequence[Row]], None], str, Sequence[Row], float]
"""What draws it, its model, its rows, its height in inches."""


def _by_model(rows: Sequence[Row]) -> Dict[str, List[Row]]:
    found: Dict[str, List[Row]] = {}
    for row in rows:
        if row.ok and row.computes:
            found.setdefault(row.experiment.build.model, []).append(row)
    return found


def _draw(panels: Sequence[Panel], left: float) -> bytes:
    """Panels under each other; every measure is in inches and fixed, since fitting texts costs more than drawing."""
    total = sum(height + AROUND for *_, height in panels) or 1.0
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, total))
        if not panels:
            figure.text(0.5, 0.5, "no latencies were measured", ha="center")
        bottom = total
        for paint, model, rows, height in panels:
            bottom -= height + AROUND
            place = (left / WIDTH, (bottom + BELOW) / total, (WIDTH - left - RIGHT) / WIDTH, height / total)
            axis = figure.add_axes(place)
            paint(axis, model, rows)
            for side in ("top", "right"):
                axis.spines[side].set_visible(False)
            axis.set_axisbelow(True)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _shapes(axis: Axes, model: str, rows: Sequence[Row]) -> None:
    everything = numpy.log10(numpy.concatenate([numpy.asarray(row.compute_ns) / 1e6 for row in rows]))
    margin = max(0.02, (everything.max() - everything.min()) * 0.03)
    edges = numpy.linspace(everything.min() - margin, everything.max() + margin, BINS + 1)
    for level, row in enumerate(reversed(rows)):
        counts, _ = numpy.histogram(numpy.log10(numpy.asarray(row.compute_ns) / 1e6), edges)
        shape = level + 0.75 * counts / counts.max()
        axis.stairs(shape, 10**edges, baseline=level, fill=True, color=_colour(row), alpha=0.55)
        axis.stairs(shape, 10**edges, baseline=level, color=_colour(row), linewidth=0.8)
        medians = [value / 1e6 for value in row.medians_ns.values()]
        axis.vlines(medians, level - 0.12, level + 0.85, color="#222222", linewidth=0.9)
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(ticker.NullFormatter())
    axis.set_yticks([level + 0.3 for level in range(len(rows))])
    axis.set_yticklabels([_label(row) for row in reversed(rows)])
    axis.set_ylim(-0.25, len(rows))
    axis.set_title(wording.model(model), loc="left", fontsize=11)
    axis.set_xlabel("compute, ms (logarithmic); ticks: median of each round")
    axis.grid(axis="x", color="#dddddd", linewidth=0.6)
    axis.spines["left"].set_visible(False)
    axis.tick_params(axis="y", length=0)


def _line(axis: Axes, model: str, rows: Sequence[Row]) -> None:
    (row,) = rows
    measured = [(each.round, each.samples) for each in row.results if isinstance(each.samples, LatencySamples)]
    times: List[numpy.ndarray] = []
    values: List[numpy.ndarray] = []
    begins, ends = [], []
    begin = 0.0
    for _, samples in measured:
        seconds = numpy.asarray(samples.start_ns) / 1e9
        milliseconds = numpy.asarray(samples.compute_ns) / 1e6
        x, y = _thinned(begin + seconds, milliseconds, MOST_POINTS // len(measured))
        times += [x, GAP]  # a gap, so that no line leads from one round to the next
        values += [y, GAP]
        begins.append(begin)
        begin += float(seconds[-1] + milliseconds[-1] / 1e3)
        ends.append(begin)
    few = len(row.compute_ns) <= MOST_MARKERS
    axis.plot(
        numpy.concatenate(times),
        numpy.concatenate(values),
        color=_colour(row),
        linewidth=0.7,
        marker="." if few else "",
        markersize=2.5,
    )
    medians = [row.medians_ns[number] / 1e6 for number, _ in measured]
    axis.hlines(medians, begins, ends, color="#222222", linewidth=0.9)
    axis.vlines(ends, 0, 1, transform=axis.get_xaxis_transform(), color="#999999", linewidth=0.8, linestyle="dashed")
    for index in range(0, len(measured), -(-len(measured) // MOST_LABELS)):
        place = ((begins[index] + ends[index]) / 2, 1.0)
        axis.text(*place, f"{measured[index][0]}", transform=axis.get_xaxis_transform(), ha="center", fontsize=8)
    axis.set_xlim(0, begin)
    axis.set_ylim(bottom=0)
    axis.set_title(f"{wording.model(model)}: {_label(row)}", loc="left", fontsize=10, pad=12)
    axis.set_ylabel("ms")
    axis.set_xlabel("seconds of timed iterations; one section a round, dark: its median", fontsize=8)
    axis.grid(axis="y", color="#dddddd", linewidth=0.6)


def _thinned(times: numpy.ndarray, values: numpy.ndarray, most: int) -> Tuple[numpy.ndarray, numpy.ndarray]:
    """At most about `most` points: of each stretch its least and its greatest."""
    if len(values) <= most:
        return times, values
    keep = set()
    for part in numpy.array_split(numpy.arange(len(values)), max(1, most // 2)):
        keep |= {int(part[values[part].argmin()]), int(part[values[part].argmax()])}
    chosen = sorted(keep)
    return times[chosen], values[chosen]


def _colour(row: Row) -> str:
    return COLOURS.get(row.experiment.build.backend, OTHER)


def _label(row: Row) -> str:
    build = row.experiment.build
    batch = f", batch {build.batch}" if build.batch > 1 else ""
    threads = wording.threads(row.experiment.inference.threads)
    number = "" if build.build_number is UNSET else f", build {build.build_number}"
    return f"{wording.short(row.experiment, row.variant)}{number}, {build.precision}{batch}, {threads}"
