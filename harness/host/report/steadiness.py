"""What the report says of how steady things were: a verdict for each row, flags on comparisons; nothing is left out."""

from typing import List, NamedTuple, Sequence, Tuple

import numpy

from harness.host.report import wording
from harness.host.report.collect import Row
from harness.host.report.compare import Comparison
from harness.host.report.table import Table
from harness.host.report.tables import name
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
        if self.rounds or any(cell.drifts or cell.changes for _, cell in self.cells):
            return "DRIFTING"
        outliers = sum(cell.outliers for _, cell in self.cells)
        many = outliers > NOISY * sum(cell.iterations for _, cell in self.cells)
        return "NOISY" if many or self.spread > NOISY else "STABLE"


def steadiness(row: Row) -> Steadiness:
    """Of a row that has latencies."""
    samples = [(one.round, one.samples.compute_ns) for one in row.results if isinstance(one.samples, LatencySamples)]
    medians = numpy.log([row.medians_ns[number] or 1 for number, _ in samples])
    over = 0.0
    if len(medians) >= LEAST_ROUNDS and float(trend(medians)) < LEVEL:
        over = float(numpy.exp(medians[-1] - medians[0]) - 1)
    return Steadiness(
        cells=[(number, of_cell(values)) for number, values in samples],
        spread=float(numpy.median([_spread(numpy.asarray(values, float)) for _, values in samples])),
        rounds=over,
    )


def table(rows: Sequence[Row]) -> Table:
    lines = []
    for row in rows:
        if not (row.ok and row.computes):
            continue
        found = steadiness(row)
        cells = [cell for _, cell in found.cells]
        iterations = sum(cell.iterations for cell in cells)
        lines.append(
            [
                wording.setting(row.experiment),
                name(row),
                str(row.experiment.inference.threads),
                found.verdict,
                f"{found.spread * 100:.2g} %",
                f"{sum(cell.outliers for cell in cells)} of {iterations}",
                f"{sum(cell.effective for cell in cells):.0f} of {iterations}",
                _drift(found) or "-",
                _changes(found) or "-",
            ]
        )
    headers = ["model", "engine", "threads:", "verdict", "spread:", "outliers:", "worth:", "drift", "changes of level"]
    return Table(headers, lines)


def flags(value: Ratio) -> List[str]:
    """What the rounds of a comparison have that its interval takes for granted they have not."""
    found = of_rounds(numpy.log(value.per_round))
    said = []
    if found.apart:
        logs = numpy.log(value.per_round)
        far = value.per_round[int(numpy.abs(logs - logs.mean()).argmax())]
        said.append(f"one round's ratio, {wording.times(far)}, lies further from the others than chance has it")
    if found.trend:
        way = "rises" if value.per_round[-1] > value.per_round[0] else "falls"
        said.append(f"the ratio {way} from the first round to the last: there is no one ratio, this is its mean")
    if found.remembers:
        said.append("rounds are more alike the closer they are: the interval is narrower than it should be")
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
        worst = max((slope for _, slope in within), key=abs)
        said.append(f"{worst * 100:+.2g} % within {_rounds([number for number, _ in within])}")
    if found.rounds:
        said.append(f"{found.rounds * 100:+.2g} % over all rounds")
    return ", ".join(said)


def _changes(found: Steadiness) -> str:
    there = [(number, change) for number, cell in found.cells for change in cell.changes]
    if not there:
        return ""
    number, worst = max(there, key=lambda one: abs(one[1].step))
    more = f" and {len(there) - 1} more" if len(there) > 1 else ""
    return f"{worst.step * 100:+.2g} % from iteration {worst.at + 1} of round {number} on{more}"


def _rounds(numbers: Sequence[int]) -> str:
    if len(numbers) > 5:
        return f"{len(numbers)} rounds"
    return f"round{'s' if len(numbers) > 1 else ''} {', '.join(str(number) for number in numbers)}"
