"""The report's matrix: where more than two engines share a setting, every one against every other, and corrected."""

from typing import Dict, List, NamedTuple, Sequence, Tuple

from harness.host.report import ratios, wording
from harness.host.report.collect import Row
from harness.host.report.compare import Comparison, Rows, setting, together
from harness.host.report.language import _
from harness.host.report.table import Footnotes, Table
from harness.host.stats.pairs import Pair, every_pair

LEAST = 3
"""Two engines are one pair: the comparison says all of it."""
NO_VERDICT = "no verdict"


class Matrix(NamedTuple):
    """Of one setting."""

    title: str
    throughput: bool
    square: Table
    """Time of the row over time of the column (of throughput, rate over rate); set bold where the two differ surely."""
    pairs: Table
    """Each pair once, with all that is known of it."""
    tested: int
    """Pairs that verdicts are corrected for."""
    left_out: List[str]
    """Engines of this setting without a measured cell, and why."""


def matrices(rows: Sequence[Row], notes: Footnotes, pilot: int = 0) -> List[Matrix]:
    """In the order of rows. Latencies come first."""
    settings: Dict[Tuple[object, ...], List[Row]] = {}
    for row in rows:
        if row.computes:
            settings.setdefault(setting(row), []).append(row)
    found = []
    for each in settings.values():
        sides = together([row for row in each if row.measured])
        if len(sides) >= LEAST:
            found.append(_matrix(sides, _left_out(each), notes, pilot))
    return sorted(found, key=lambda one: one.throughput)


def _matrix(sides: Sequence[Rows], left_out: List[str], notes: Footnotes, pilot: int) -> Matrix:
    found = every_pair([[row.times_ns for row in side] for side in sides], pilot)
    first = sides[0][0].experiment
    names = [_name(side) for side in sides]
    throughput = first.inference.issue_mode == "throughput"
    return Matrix(
        title=f"{wording.setting(first)}, {wording.threads(first.inference.threads)}",
        throughput=throughput,
        square=_square(names, found, throughput),
        pairs=Table(
            [
                _("engine"),
                _("against"),
                _("rate ratio:") if throughput else _("time ratio:"),
                _("95 %% interval"),
                _("rounds:"),
                _("could show:"),
                _("p, corrected:"),
                _("verdict"),
                _("notes"),
            ],
            [_line(one, sides, names, notes) for one in found],
        ),
        tested=sum(one.adjusted_p is not None for one in found),
        left_out=left_out,
    )


def _square(names: Sequence[str], pairs: Sequence[Pair], throughput: bool) -> Table:
    cells = [["-" if row == column else _("none") for column in range(len(names))] for row in range(len(names))]
    for one in pairs:
        if one.ratio is not None:
            value = 1 / one.ratio.value if throughput else one.ratio.value
            bold = "**" if one.verdict not in (NO_VERDICT, "not distinguishable") else ""
            cells[one.ours][one.baseline] = f"{bold}{wording.times(value)}{bold}"
            cells[one.baseline][one.ours] = f"{bold}{wording.times(1 / value)}{bold}"
    return Table(["", *(f"{name}:" for name in names)], [[name, *line] for name, line in zip(names, cells)])


def _line(pair: Pair, sides: Sequence[Rows], names: Sequence[str], notes: Footnotes) -> List[str]:
    both = [names[pair.ours], names[pair.baseline]]
    if pair.ratio is None:
        badge = _("no round in which both ended ok: this pair is dropped")
        none = _("none")
        return [*both, none, none, "0", none, none, wording.verdict(NO_VERDICT), notes.mark([badge])]
    one = Comparison(sides[pair.ours], sides[pair.baseline], pair.ratio, "backend")
    value = one.shown
    return [
        *both,
        wording.times(value.value),
        ratios.interval(value),
        str(value.rounds),
        ratios.could_show(value.detectable),
        _("none") if pair.adjusted_p is None else _p(pair.adjusted_p),
        wording.verdict(one.verdict if pair.verdict == pair.ratio.verdict else pair.verdict),
        notes.mark(ratios.caveats(one)),
    ]


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.2g}"


def _left_out(rows: Sequence[Row]) -> List[str]:
    """Builds of one engine together, where none of them was measured."""
    said = []
    for side in together(rows):
        ended = [result for row in side for result in row.results]
        if ended and not any(row.measured for row in side):
            said.append(
                _(
                    "%(name)s is not in it: %(statuses)s in every round (%(reason)s)",
                    name=_name(side),
                    statuses=wording.both(wording.verdict(one.status) for one in ended),
                    reason=ended[0].reason,
                )
            )
    return said


def _name(side: Rows) -> str:
    return wording.of_builds(side[0].experiment, side[0].variant, len(side))
