"""What the report says of how steady things were: a verdict for each row, flags on comparisons; nothing is left out."""

from typing import List, NamedTuple, Sequence, Tuple

import numpy

from harness.host.report import wording
from harness.host.report.collect import Row
from harness.host.report.compare import Comparison
from harness.host.report.language import _, ngettext
from harness.host.report.table import Table
from harness.host.report.tables import name, named
from harness.host.stats.drift import trend
from harness.host.stats.ratio import Ratio
from harness.host.stats.steadiness import LEAST_ROUNDS, LEVEL, CellFlags, of_cell, of_rounds
from harness.records import LatencySamples

NOISY = 0.05
"""A row is called noisy whose outliers are more than this share of its iterations, or which spreads by more than this
share of its median (by the median absolute deviation, so that outliers alone do not make it so)."""


class Steadiness(NamedTuple):
    """Of one row, from all its cells."""

    cells: List[Tuple[int, CellFlags]]
    """By round."""
    spread: float
    """Of the iterations around their round's median, as a share of it: the median over rounds."""
    rounds: float
    """From the first round's median to the last's, as a share; 0 where that is no trend."""

    @property
    def verdict(self) -> str:
        """`DRIFTING` before `NOISY` before `STABLE`."""
        if self.rounds or any(cell.drifts or cell.changes for number, cell in self.cells):
            return "DRIFTING"
        outliers = sum(cell.outliers for number, cell in self.cells)
        many = outliers > NOISY * sum(cell.iterations for number, cell in self.cells)
        return "NOISY" if many or self.spread > NOISY else "STABLE"


def steadiness(row: Row) -> Steadiness:
    """Of a row that has latencies."""
    samples = [(one.round, one.samples.compute_ns) for one in row.results if isinstance(one.samples, LatencySamples)]
    medians = numpy.log([row.medians_ns[number] or 1 for number, values in samples])
    over = 0.0
    if len(medians) >= LEAST_ROUNDS and float(trend(medians)) < LEVEL:
        over = float(numpy.exp(medians[-1] - medians[0]) - 1)
    return Steadiness(
        cells=[(number, of_cell(values)) for number, values in samples],
        spread=float(numpy.median([_spread(numpy.asarray(values, float)) for number, values in samples])),
        rounds=over,
    )


def table(rows: Sequence[Row]) -> Table:
    lines = []
    for row in rows:
        if not (row.ok and row.computes):
            continue
        found = steadiness(row)
        cells = [cell for number, cell in found.cells]
        iterations = sum(cell.iterations for cell in cells)
        lines.append(
            [
                wording.setting(row.experiment),
                name(row),
                str(row.experiment.inference.threads),
                found.verdict,
                wording.percent(wording.of_hundred(found.spread)),
                _of(f"{sum(cell.outliers for cell in cells)}", iterations),
                _of(f"{sum(cell.effective for cell in cells):.0f}", iterations),
                _drift(found) or "-",
                _changes(found) or "-",
            ]
        )
    headers = [_("verdict"), _("spread:"), _("outliers:"), _("worth:"), _("drift"), _("changes of level")]
    return Table([*named(), *headers], lines)


def _of(count: str, iterations: int) -> str:
    return _("%(count)s of %(iterations)s", count=count, iterations=iterations)


def flags(value: Ratio) -> List[str]:
    """What the rounds of a comparison have that its interval takes for granted they have not."""
    found = of_rounds(numpy.log(value.per_round))
    said = []
    if found.apart:
        logs = numpy.log(value.per_round)
        far = value.per_round[int(numpy.abs(logs - logs.mean()).argmax())]
        ratio = wording.times(far)
        said.append(_("one round's ratio, %(ratio)s, lies further from the others than chance has it", ratio=ratio))
    if found.trend and value.per_round[-1] > value.per_round[0]:
        said.append(_("the ratio rises from the first round to the last: there is no one ratio, this is its mean"))
    elif found.trend:
        said.append(_("the ratio falls from the first round to the last: there is no one ratio, this is its mean"))
    if found.remembers:
        said.append(_("rounds are more alike the closer they are: the interval is narrower than it should be"))
    return said


def few(comparisons: Sequence[Comparison]) -> bool:
    """Whether any has too few rounds to show that they depend on each other."""
    return any(of_rounds(numpy.log(one.ratio.per_round)).few for one in comparisons if one.ratio.low is not None)


def _spread(values: "numpy.ndarray") -> float:
    """Median absolute deviation, as a deviation, over the median."""
    middle = float(numpy.median(values))
    return 1.4826 * float(numpy.median(numpy.abs(values - middle))) / middle if middle else 0.0


def _drift(found: Steadiness) -> str:
    within = [(number, cell.drift.slope) for number, cell in found.cells if cell.drift is not None and cell.drifts]
    said = []
    if within:
        worst = max((slope for number, slope in within), key=abs)
        said.append(_within(wording.of_hundred(worst, "+"), [number for number, slope in within]))
    if found.rounds:
        said.append(_("%(percent)s %% over all rounds", percent=wording.of_hundred(found.rounds, "+")))
    return ", ".join(said)


def _changes(found: Steadiness) -> str:
    there = [(number, change) for number, cell in found.cells for change in cell.changes]
    if not there:
        return ""
    number, worst = max(there, key=lambda one: abs(one[1].step))
    change = {"percent": wording.of_hundred(worst.step, "+"), "iteration": worst.at + 1, "round": number}
    if len(there) == 1:
        return _("%(percent)s %% from iteration %(iteration)s of round %(round)s on", **change)
    return _(
        "%(percent)s %% from iteration %(iteration)s of round %(round)s on and %(more)s more",
        more=len(there) - 1,
        **change,
    )


def _within(percent: str, numbers: Sequence[int]) -> str:
    if len(numbers) > 5:
        return _("%(percent)s %% within %(count)s rounds", percent=percent, count=len(numbers))
    told = ", ".join(str(number) for number in numbers)
    return ngettext(
        "%(percent)s %% within round %(rounds)s",
        "%(percent)s %% within rounds %(rounds)s",
        len(numbers),
        percent=percent,
        rounds=told,
    )
