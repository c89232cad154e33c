"""The report's memory: what each engine takes of the device, and the most that its whole process had."""

from typing import List, Optional, Sequence

from harness.host.report import wording
from harness.host.report.collect import Row
from harness.host.report.language import _
from harness.host.report.table import Table
from harness.host.report.tables import name, named
from harness.host.stats.footprint import of_cell

NAMES = 3
"""Columns that say which row it is."""


def table(rows: Sequence[Row]) -> Table:
    """Measured rows; the peak is that of the round that had the largest. What nobody told has no column.

    Empty where nothing was told at all.
    """
    lines: List[List[str]] = []
    for row in rows:
        cells = [of_cell(row.engine, result) for result in row.results if result.samples is not None]
        if cells:
            lines.append(
                [
                    wording.setting(row.experiment),
                    name(row),
                    str(row.experiment.inference.threads),
                    *(_largest(sizes) for sizes in zip(*((one.engine, one.io, one.device, one.peak) for one in cells))),
                ]
            )
    sizes = [_("engine on device:"), _("inputs and outputs:"), _("together:"), _("process peak:")]
    headers = [*named(), *sizes]
    told = [place for place in range(len(headers)) if any(line[place] != _("not told") for line in lines)]
    if len(told) <= NAMES:
        return Table(headers, [])
    return Table([headers[place] for place in told], [[line[place] for place in told] for line in lines])


def _largest(sizes: Sequence[Optional[int]]) -> str:
    known = [size for size in sizes if size is not None]
    return wording.megabytes(max(known)) if known else _("not told")
