"""Panels under each other as one SVG, and how every picture of a report looks; only here and in painters matplotlib.

What tells lines apart is never their colour alone: each quantity has a panel of its own and limits are dashed. Colours
are those of Okabe and Ito, which people who see few colours tell apart too. The ground is white on purpose: a picture
in a Markdown file cannot know whether its page is dark, and black on white is read and printed anywhere.
"""

import io
import warnings
from typing import Any, Callable, Dict, List, NamedTuple, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from msgspec import UNSET

from harness.host.report import wording
from harness.host.report.collect import Row
from harness.host.report.language import _

COLOURS = {"onnxruntime": "#0072b2", "tvm": "#d55e00", "tensorrt": "#009e73", "tensorrt_rtx": "#cc79a7"}
OTHER = "#777777"
INK, GRID, EDGE = "#222222", "#dddddd", "#999999"
WIDTH, RIGHT = 9.0, 0.2
"""Inches: of the figure, and right of a panel."""
STYLE: Dict[Any, Any] = {
    "svg.hashsalt": "latency",  # the same run draws the same file
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "figure.facecolor": "white",
}


class Panel(NamedTuple):
    paint: Callable[[Axes], None]
    height: float
    """Of what is inside its axes, in inches; so are the next two."""
    above: float = 0.4
    below: float = 0.55


def draw(panels: Sequence[Panel], left: float, nothing: str) -> bytes:
    """Every measure is fixed, since fitting texts costs more than drawing. `nothing` is said for no panel."""
    total = sum(one.above + one.height + one.below for one in panels) or 1.0
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, total))
        if not panels:
            figure.text(0.5, 0.5, nothing, ha="center")
        bottom = total
        for one in panels:
            bottom -= one.above + one.height + one.below
            place = (
                left / WIDTH,
                (bottom + one.below) / total,
                (WIDTH - left - RIGHT) / WIDTH,
                one.height / total,
            )
            axis = figure.add_axes(place)
            one.paint(axis)
            for side in ("top", "right"):
                axis.spines[side].set_visible(False)
            axis.set_axisbelow(True)
        return svg(figure)


def svg(figure: Figure) -> bytes:
    """The same figure gives the same file."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # Words are drawn by whoever shows the file, in fonts of theirs; what ours lacks does not matter.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def by_model(rows: Sequence[Row]) -> Dict[str, List[Row]]:
    """Those that have latencies and compute something: the others lie a thousand times lower and would squeeze them."""
    found: Dict[str, List[Row]] = {}
    for row in rows:
        if row.ok and row.computes:
            found.setdefault(row.experiment.build.model, []).append(row)
    return found


def colour(row: Row) -> str:
    return COLOURS.get(row.experiment.build.backend, OTHER)


def label(row: Row) -> str:
    build = row.experiment.build
    words = [wording.short(row.experiment, row.variant)]
    words += [] if build.build_number is UNSET else [_("build %(number)s", number=build.build_number)]
    words += [build.precision]
    words += [_("batch %(size)s", size=build.batch)] if build.batch > 1 else []
    return ", ".join([*words, wording.threads(row.experiment.inference.threads)])
