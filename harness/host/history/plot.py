"""Draws histories as SVG: a panel for each experiment, those of one setting together, with borders of conditions."""

import io
import math
import textwrap
from itertools import groupby, islice
from typing import Dict, List, Sequence, Tuple

import matplotlib
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.host.history.judge import SLOWER, Judged
from harness.host.history.series import Series
from harness.host.history.tables import called
from harness.host.report.drawing import COLOURS, OTHER, STYLE

MOST_PANELS = 16
MOST_MARKERS = 150
"""More runs than these are a line without markers and without the reach of their rounds."""
MOST_BORDERS = 8
"""More of them in a setting are lines without words; the table has them all."""
MOST_LETTERS = 150
"""In a line of words."""
LEAST_RANGE = 0.06
"""Of a panel, as a share of its level: noise is not to fill it."""
WIDTH, LEFT, RIGHT, PANEL, ABOVE, HEAD, BELOW, LINE = 9.0, 0.8, 0.2, 1.2, 0.3, 0.3, 0.35, 0.17
"""Inches: ABOVE each panel, HEAD above those of a setting, BELOW them, and LINE for each of the words there."""
CIRCLE = "circle: slower than the earlier runs"
BARS = "bars: from the least to the greatest of the rounds"

Panel = Tuple[Series, List[Judged]]
Border = Tuple[str, str]
"""The first run behind it, and what changed."""


def draw(series: Dict[Series, List[Judged]]) -> Tuple[bytes, int]:
    """The picture, and how many experiments it shows."""
    measured = ((one, each) for one, each in series.items() if any(point.point.log_mean is not None for point in each))
    shown = list(islice(measured, MOST_PANELS))
    groups = [list(each) for _, each in groupby(shown, key=lambda one: one[0].setting)]
    heights = [HEAD + (PANEL + ABOVE) * len(each) + BELOW + LINE * (len(_words(each)) + 1) for each in groups]
    with matplotlib.rc_context(STYLE):
        total = sum(heights) or 1.0
        figure = Figure(figsize=(WIDTH, total))
        if not groups:
            figure.text(0.5, 0.5, "nothing was measured", ha="center")
        top = total
        for group, height in zip(groups, heights):
            _group(figure, group, top, total)
            top -= height
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue(), len(shown)


def _group(figure: Figure, group: Sequence[Panel], top: float, total: float) -> None:
    """Below `top`, in inches of `total`; all panels have the same runs below each other."""
    runs, dates = _runs(group), _dates(group)
    figure.text(LEFT / WIDTH, (top - HEAD) / total, group[0][0].place, fontsize=11, va="bottom")
    bottom = top - HEAD
    for number, (series, points) in enumerate(group):
        bottom -= PANEL + ABOVE
        axis = figure.add_axes((LEFT / WIDTH, bottom / total, (WIDTH - LEFT - RIGHT) / WIDTH, PANEL / total))
        _line(axis, series, points, runs)
        _borders_of(axis, points, runs, _borders(group))
        _frame(axis, series, points, runs)
        axis.tick_params(axis="x", labelbottom=number == len(group) - 1)
        axis.xaxis.set_major_formatter(ticker.FuncFormatter(lambda place, _: dates.get(place, "")))
    few = any(len(points) <= MOST_MARKERS for _, points in group)
    for number, text in enumerate([f"{CIRCLE}; {BARS}" if few else CIRCLE, *_words(group)]):
        figure.text(LEFT / WIDTH, (bottom - BELOW - LINE * number) / total, text, fontsize=7.5, va="top")


def _line(axis: Axes, series: Series, points: Sequence[Judged], runs: Dict[str, int]) -> None:
    """Broken at borders, and where a run has no figure."""
    marks: List[Tuple[float, ...]] = []  # place, figure, and its reach
    for one in points:
        point, place = one.point, runs[one.point.run]
        if point.border or point.log_mean is None:
            marks.append((place - 0.5, math.nan, math.nan, math.nan))
        if point.log_mean is not None and point.least_ns is not None and point.most_ns is not None:
            times = (math.exp(point.log_mean), point.least_ns, point.most_ns)
            marks.append((place, *(_shown(series, one) for one in times)))
    x, y, low, high = zip(*marks)
    few, colour = len(points) <= MOST_MARKERS, COLOURS.get(series.backend, OTHER)
    axis.plot(x, y, color=colour, linewidth=1.0, marker="o" if few else "", markersize=4)
    if few:
        axis.vlines(x, low, high, color=colour, linewidth=0.8)
    slower = [one.point for one in points if one.verdict == SLOWER]
    heights = [_shown(series, math.exp(one.log_mean)) for one in slower if one.log_mean is not None]
    places = [runs[one.run] for one in slower]
    axis.scatter(places, heights, s=90, facecolors="none", edgecolors="#222222", linewidths=1.4, zorder=3)


def _frame(axis: Axes, series: Series, points: Sequence[Judged], runs: Dict[str, int]) -> None:
    axis.xaxis.set_major_locator(ticker.MaxNLocator(nbins=8, integer=True))
    axis.set_xlim(-0.5, len(runs) - 0.5)
    low, high = axis.get_ylim()
    middle = (low + high) / 2
    half = max((high - low) / 2, LEAST_RANGE / 2 * middle)
    axis.set_ylim(middle - half, middle + half)
    axis.set_title(called(series, points[-1].point), loc="left", fontsize=9, pad=4)
    axis.set_ylabel("per second" if series.issue_mode == "throughput" else "ms", fontsize=9)
    axis.grid(axis="y", color="#dddddd", linewidth=0.6)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    axis.set_axisbelow(True)


def _borders_of(axis: Axes, points: Sequence[Judged], runs: Dict[str, int], borders: Sequence[Border]) -> None:
    own = {one.point.run for one in points if one.point.border}
    for number, (run, _) in enumerate(borders, 1):
        if run in own:
            axis.axvline(runs[run] - 0.5, color="#222222", linewidth=1.1, linestyle=(0, (4, 3)))
        if run in own and len(borders) <= MOST_BORDERS:
            place = (runs[run] - 0.5, 1.02)
            axis.text(*place, f"[{number}]", transform=axis.get_xaxis_transform(), ha="center", fontsize=8)


def _shown(series: Series, time_ns: float) -> float:
    return 1e9 / time_ns if series.issue_mode == "throughput" else time_ns / 1e6


def _runs(group: Sequence[Panel]) -> Dict[str, int]:
    """Each run's place: one beside the other in the order of time, however long nothing was measured between them."""
    found = sorted({(one.point.created_utc, one.point.run) for _, points in group for one in points})
    return {run: number for number, (_, run) in enumerate(found)}


def _dates(group: Sequence[Panel]) -> Dict[float, str]:
    """By place: the day, or the time where all was within two."""
    runs = _runs(group)
    created = {runs[one.point.run]: one.point.created_utc for _, points in group for one in points}
    days = {text[:10] for text in created.values()}
    return {place: text[:10] if len(days) > 2 else text[5:16].replace("T", " ") for place, text in created.items()}


def _borders(group: Sequence[Panel]) -> List[Border]:
    """Those of all panels, in the order of time; what not all of them have names those that do."""
    found: Dict[Tuple[str, str], Dict[str, List[str]]] = {}
    for series, points in group:
        for one in points:
            if one.point.border:
                said = found.setdefault((one.point.created_utc, one.point.run), {})
                said.setdefault("; ".join(one.point.border), []).append(called(series, one.point))
    return [
        (run, "; ".join(text if len(who) == len(group) else f"{', '.join(who)}: {text}" for text, who in said.items()))
        for (_, run), said in sorted(found.items())
    ]


def _words(group: Sequence[Panel]) -> List[str]:
    """About the borders, below the panels."""
    found = _borders(group)
    if len(found) > MOST_BORDERS:
        return [
            f"dashed: conditions changed {len(found)} times, and nothing is compared across; the table says in what"
        ]
    texts = [f"[{number}] not compared across: {text}" for number, (_, text) in enumerate(found, 1)]
    return [line for text in texts for line in textwrap.wrap(text, MOST_LETTERS, subsequent_indent="      ")]
