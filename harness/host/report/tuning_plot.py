"""Draws what more tuning gave: the estimated time of the whole model over trials and over minutes, as SVG."""

from typing import Any, Sequence

import matplotlib
from matplotlib.figure import Figure

from harness.host.report.drawing import COLOURS, GRID, STYLE, svg
from harness.host.report.language import N_, _
from harness.host.report.tuning import Tuned

WIDTH, HEIGHT = 9.0, 2.4
NOTHING = N_("the records tell no course of their tuning")


def effort(each: Sequence[Tuned]) -> bytes:
    """A row of two panels for each engine with a curve; the estimate is the sum of its tasks' best times."""
    drawn = [one for one in each if one.account.curve]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, max(1, len(drawn)) * HEIGHT), layout="constrained")
        if not drawn:
            figure.text(0.5, 0.5, _(NOTHING), ha="center")
        axes: Any = figure.subplots(len(drawn), 2, squeeze=False, sharey="row") if drawn else []
        for (left, right), one in zip(axes, drawn):
            curve = one.account.curve
            times = [point.estimated_ns / 1e6 for point in curve]
            _panel(left, [float(point.trials) for point in curve], times, _("trials"))
            _panel(right, [point.seconds / 60 for point in curve], times, _("minutes"))
            left.set_title(one.name, loc="left", fontsize=10)
            left.set_ylabel(_("estimated, ms"))
        return svg(figure)


def _panel(axis: Any, x: Sequence[float], y: Sequence[float], name: str) -> None:
    axis.step(x, y, where="post", color=COLOURS["tvm"], linewidth=1.3)
    axis.set_xlabel(name, fontsize=9)
    axis.set_ylim(bottom=0)
    axis.set_xlim(left=0)
    axis.grid(color=GRID, linewidth=0.6)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    axis.set_axisbelow(True)
