"""Draws a run's latencies as distributions, one panel a model."""

import functools
from typing import Sequence

import numpy
from matplotlib import ticker
from matplotlib.axes import Axes

from harness.host.report import wording
from harness.host.report.collect import Row
from harness.host.report.drawing import GRID, INK, Panel, by_model, colour, draw, label
from harness.host.report.language import N_, _

BINS = 240
NOTHING = N_("no latencies were measured")


def distribution(rows: Sequence[Row]) -> bytes:
    """One panel per model: each row's pooled samples on a logarithmic axis, and a tick at every round's median."""
    panels = [
        Panel(functools.partial(_shapes, model=model, rows=each), 0.5 * len(each))
        for model, each in by_model(rows).items()
    ]
    return draw(panels, 2.7, _(NOTHING))


def _shapes(axis: Axes, model: str, rows: Sequence[Row]) -> None:
    everything = numpy.log10(numpy.concatenate([numpy.asarray(row.compute_ns) / 1e6 for row in rows]))
    margin = max(0.02, (everything.max() - everything.min()) * 0.03)
    edges = numpy.linspace(everything.min() - margin, everything.max() + margin, BINS + 1)
    for level, row in enumerate(reversed(rows)):
        counts = numpy.histogram(numpy.log10(numpy.asarray(row.compute_ns) / 1e6), edges)[0]
        shape = level + 0.75 * counts / counts.max()
        axis.stairs(shape, 10**edges, baseline=level, fill=True, color=colour(row), alpha=0.55)
        axis.stairs(shape, 10**edges, baseline=level, color=colour(row), linewidth=0.8)
        medians = [value / 1e6 for value in row.medians_ns.values()]
        axis.vlines(medians, level - 0.12, level + 0.85, color=INK, linewidth=0.9)
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, place: f"{value:g}"))
    axis.xaxis.set_minor_formatter(ticker.NullFormatter())
    axis.set_yticks([level + 0.3 for level in range(len(rows))])
    axis.set_yticklabels([label(row) for row in reversed(rows)])
    axis.set_ylim(-0.25, len(rows))
    axis.set_title(wording.model(model), loc="left", fontsize=11)
    axis.set_xlabel(_("compute, ms (logarithmic); ticks: median of each round"))
    axis.grid(axis="x", color=GRID, linewidth=0.6)
    axis.spines["left"].set_visible(False)
    axis.tick_params(axis="y", length=0)
