"""Draws the distribution of latencies as SVG; only this module knows matplotlib."""

import io
from typing import Any, Dict, List, Sequence

import matplotlib

matplotlib.use("svg")
import numpy
from matplotlib import pyplot, ticker
from matplotlib.axes import Axes

from harness.host.report import wording
from harness.host.report.collect import Row

COLOURS = {"onnxruntime": "#3b6fb6", "tvm": "#c8553d", "tensorrt": "#5a8f3c"}
OTHER = "#777777"
BINS = 240
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
    by_model: Dict[str, List[Row]] = {}
    for row in rows:
        if row.ok and row.computes:
            by_model.setdefault(row.experiment.build.model, []).append(row)
    heights = [0.8 + 0.5 * len(each) for each in by_model.values()] or [1.0]
    with matplotlib.rc_context(STYLE):
        figure, axes = pyplot.subplots(
            len(heights), 1, figsize=(9, sum(heights) + 0.5), squeeze=False, gridspec_kw={"height_ratios": heights}
        )
        if not by_model:
            axes[0][0].set_axis_off()
            axes[0][0].text(0.5, 0.5, "no latencies were measured", ha="center")
        for axis, (model, each) in zip(axes[:, 0], by_model.items()):
            _panel(axis, model, each)
        figure.tight_layout()
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        pyplot.close(figure)
    return buffer.getvalue()


def _panel(axis: Axes, model: str, rows: Sequence[Row]) -> None:
    everything = numpy.log10(numpy.concatenate([numpy.asarray(row.compute_ns) / 1e6 for row in rows]))
    margin = max(0.02, (everything.max() - everything.min()) * 0.03)
    edges = numpy.linspace(everything.min() - margin, everything.max() + margin, BINS + 1)
    for level, row in enumerate(reversed(rows)):
        colour = COLOURS.get(row.experiment.build.backend, OTHER)
        counts, _ = numpy.histogram(numpy.log10(numpy.asarray(row.compute_ns) / 1e6), edges)
        shape = level + 0.75 * counts / counts.max()
        axis.stairs(shape, 10**edges, baseline=level, fill=True, color=colour, alpha=0.55)
        axis.stairs(shape, 10**edges, baseline=level, color=colour, linewidth=0.8)
        for value in row.medians_ns.values():
            axis.plot([value / 1e6] * 2, [level - 0.12, level + 0.85], color="#222222", linewidth=0.9)
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
    axis.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    axis.tick_params(axis="y", length=0)


def _label(row: Row) -> str:
    build = row.experiment.build
    batch = f", batch {build.batch}" if build.batch > 1 else ""
    threads = wording.threads(row.experiment.inference.threads)
    return f"{wording.short(row.experiment, row.variant)}, {build.precision}{batch}, {threads}"
