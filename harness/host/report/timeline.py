"""Draws the course of every row: each iteration in the order of time, and under it what the sensors told meanwhile.

Latency, clock, temperature and power of a row share one axis of time, so that a throttle is seen as what it is: the
zone reaches its trip point, the clock falls below what its mode allows, the power with it, and the latency rises.
"""

import functools
from typing import Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy
from matplotlib import ticker
from matplotlib.axes import Axes

from harness.host.report import verdicts, wording
from harness.host.report.collect import Row
from harness.host.report.drawing import EDGE, GRID, INK, Panel, by_model, colour, draw, label
from harness.host.report.language import N_, _
from harness.host.report.plots import NOTHING
from harness.host.report.sensed import OfRows, Sensed, Shown
from harness.records import LatencySamples

MOST_POINTS = 1500
"""Per row and panel; what has more is thinned to its extremes, so that no outlier is lost."""
MOST_MARKERS = 600
"""More points than these are a line without dots."""
MOST_LABELS = 12
GAP = numpy.array([numpy.nan])
"""So that no line leads from one round to the next."""
NEAR_MC = 30_000
"""A trip point further above all readings than this stands in the table alone."""
LEFT = 0.8
LATENCY, STRIP, BETWEEN = 0.9, 0.5, 0.09
"""Heights in inches: of the latencies, of each quantity under them, and of half the space between."""


class Section(NamedTuple):
    """One round on the axis of time of its row, which has the timed iterations of all rounds and nothing between."""

    round: int
    begin_s: float
    end_s: float
    samples: LatencySamples
    marks: str
    """`LIMITED`, where the round's cell is marked."""
    sensed: Optional[Sensed]


class Quantity(NamedTuple):
    """A strip under the latencies."""

    unit: str
    scale: float
    """From the unit that was sensed to this one."""
    from_zero: bool
    """Whether its axis begins there."""
    shown: List[Tuple[Section, Shown]]
    limit: str = ""
    """What the dashed line is."""

    @property
    def near_limit(self) -> Optional[float]:
        """In this unit; one that lies far from every reading would squeeze an axis that does not begin at zero."""
        limits = [one.limit for section, one in self.shown if one.limit is not None]
        if not limits or (not self.from_zero and min(limits) - max(one.high for section, one in self.shown) > NEAR_MC):
            return None
        return min(limits) * self.scale


def course(rows: Sequence[Row], sensed: OfRows) -> bytes:
    """A group of panels per row, rounds one after another with a line between."""
    panels = [panel for model, each in by_model(rows).items() for row in each for panel in _of_row(model, row, sensed)]
    return draw(panels, LEFT, _(NOTHING))


def _of_row(model: str, row: Row, sensed: OfRows) -> Iterator[Panel]:
    found = sections(row, sensed)
    strips = _quantities(found)
    below = BETWEEN if strips else 0.55
    latency = functools.partial(_latency, model=model, row=row, over=found, last=not strips)
    yield Panel(latency, LATENCY, 0.4, below)
    for index, one in enumerate(strips, 1):
        last = index == len(strips)
        strip = functools.partial(_strip, quantity=one, over=found, last=last)
        yield Panel(strip, STRIP, BETWEEN, 0.55 if last else BETWEEN)


def sections(row: Row, sensed: OfRows) -> List[Section]:
    """In the order of rounds."""
    found: List[Section] = []
    begin = 0.0
    told = sensed.get(row.experiment.slug(), {})
    for result in row.results:
        samples = result.samples
        if isinstance(samples, LatencySamples):
            end = begin + (samples.start_ns[-1] + samples.compute_ns[-1]) / 1e9
            marks = " ".join(verdicts.marks([result]))
            found.append(Section(result.round, begin, end, samples, marks, told.get(result.round)))
            begin = end
    return found


def _quantities(over: Sequence[Section]) -> List[Quantity]:
    """Those that any round has."""
    told = [(one, one.sensed) for one in over if one.sensed is not None]
    clocks = [(one, cell.clock) for one, cell in told if cell.clock is not None]
    temperatures = [(one, cell.temperature) for one, cell in told if cell.temperature is not None]
    powers = [(one, cell.power) for one, cell in told if cell.power is not None]
    found = [
        Quantity("MHz", 1e-6, True, clocks, N_("expected %(value)s")),
        Quantity("°C", 1e-3, False, temperatures, N_("trips %(value)s")),
        Quantity("W", 1.0, True, powers),
    ]
    return [one for one in found if one.shown]


def _latency(axis: Axes, model: str, row: Row, over: Sequence[Section], last: bool) -> None:
    times: List[numpy.ndarray] = []
    values: List[numpy.ndarray] = []
    for one in over:
        seconds = one.begin_s + numpy.asarray(one.samples.start_ns) / 1e9
        x, y = _thinned(seconds, numpy.asarray(one.samples.compute_ns) / 1e6, MOST_POINTS // len(over))
        times += [x, GAP]
        values += [y, GAP]
    few = len(row.compute_ns) <= MOST_MARKERS
    axis.plot(
        numpy.concatenate(times),
        numpy.concatenate(values),
        color=colour(row),
        linewidth=0.7,
        marker="." if few else "",
        markersize=2.5,
    )
    medians = [row.medians_ns[one.round] / 1e6 for one in over]
    axis.hlines(medians, [one.begin_s for one in over], [one.end_s for one in over], color=INK, linewidth=0.9)
    for index in range(0, len(over), -(-len(over) // MOST_LABELS)):
        one = over[index]
        place = ((one.begin_s + one.end_s) / 2, 1.0)
        said = f"{one.round} {one.marks}".strip()
        axis.text(*place, said, transform=axis.get_xaxis_transform(), ha="center", fontsize=8)
    for one in over:
        if one.marks:
            axis.axvspan(one.begin_s, one.end_s, facecolor="none", edgecolor=GRID, hatch="////", linewidth=0, zorder=0)
    axis.set_ylim(0, 1.1 * max(row.compute_ns) / 1e6)
    axis.set_title(f"{wording.model(model)}: {label(row)}", loc="left", fontsize=10, pad=12)
    axis.set_ylabel("ms")
    _share_time(axis, over, last)


def _strip(axis: Axes, quantity: Quantity, over: Sequence[Section], last: bool) -> None:
    times: List[numpy.ndarray] = []
    values: List[numpy.ndarray] = []
    for one, shown in quantity.shown:
        seconds = one.begin_s + shown.column.t_ns / 1e9
        x, y = _thinned(seconds, shown.column.value * quantity.scale, MOST_POINTS // len(over))
        times += [x, GAP]
        values += [y, GAP]
    few = sum(len(shown.column.t_ns) for section, shown in quantity.shown) <= MOST_MARKERS
    axis.plot(
        numpy.concatenate(times),
        numpy.concatenate(values),
        color=INK,
        linewidth=0.9,
        marker="." if few else "",  # a round with a single reading has no line
        markersize=2.5,
    )
    names = ", ".join(dict.fromkeys(shown.name for section, shown in quantity.shown))
    axis.text(0.004, 0.97, names, transform=axis.transAxes, va="top", fontsize=7)
    low = min(shown.low for section, shown in quantity.shown) * quantity.scale
    high = max(shown.high for section, shown in quantity.shown) * quantity.scale
    limit = quantity.near_limit
    if limit is not None:
        low, high = min(low, limit), max(high, limit)
        axis.axhline(limit, color=INK, linewidth=0.8, linestyle=(0, (4, 2)))
        place, said = (1.0, limit), _(quantity.limit, value=f"{limit:.0f}")
        axis.annotate(said, place, xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=8)
    margin = max(2.0, 0.3 * (high - low))
    axis.set_ylim(*((0, 1.6 * high or 1.0) if quantity.from_zero else (low - margin, high + 2 * margin)))
    axis.yaxis.set_major_locator(ticker.MaxNLocator(3, steps=[1, 2, 5, 10]))
    axis.set_ylabel(quantity.unit)
    axis.tick_params(axis="y", labelsize=8)
    _share_time(axis, over, last)


def _share_time(axis: Axes, over: Sequence[Section], last: bool) -> None:
    """The axis of time that all panels of a row have in common; only the last one has its figures under it."""
    axis.yaxis.set_label_coords(-0.055, 0.5)
    ends = [one.end_s for one in over]
    axis.vlines(ends, 0, 1, transform=axis.get_xaxis_transform(), color=EDGE, linewidth=0.8, linestyle="dashed")
    axis.set_xlim(0, ends[-1])
    axis.grid(axis="y", color=GRID, linewidth=0.6)
    if last:
        axis.set_xlabel(_("seconds of timed iterations by round; level line: its median; hatched: marked"), fontsize=8)
    else:
        axis.tick_params(axis="x", labelbottom=False)


def _thinned(times: numpy.ndarray, values: numpy.ndarray, most: int) -> Tuple[numpy.ndarray, numpy.ndarray]:
    """At most about `most` points: of each stretch its least and its greatest."""
    if len(values) <= most:
        return times, values
    keep = set()
    for part in numpy.array_split(numpy.arange(len(values)), max(1, most // 2)):
        keep |= {int(part[values[part].argmin()]), int(part[values[part].argmax()])}
    chosen = sorted(keep)
    return times[chosen], values[chosen]
