"""The report's ranges: between what clocks, temperatures and power lay while each row was measured."""

from typing import Sequence

from harness.host.report import wording
from harness.host.report.collect import Row
from harness.host.report.language import _
from harness.host.report.sensed import OfRows, Shown
from harness.host.report.table import Table
from harness.host.report.tables import name, named


def table(rows: Sequence[Row], sensed: OfRows) -> Table:
    """Rows of which sensors told anything; from the smallest to the largest reading within iterations of any round."""
    lines = []
    for row in rows:
        cells = list(sensed.get(row.experiment.slug(), {}).values())
        kinds = [[one.clock for one in cells], [one.temperature for one in cells], [one.power for one in cells]]
        clock, temperature, power = ([one for one in kind if one is not None] for kind in kinds)
        if not (clock or temperature or power):
            continue
        lines.append(
            [
                wording.setting(row.experiment),
                name(row),
                str(row.experiment.inference.threads),
                _range(clock, 1e-6, 0),
                _limit(clock, 1e-6),
                _range(temperature, 1e-3, 1),
                _limit(temperature, 1e-3),
                _range(power, 1, 2),
                ", ".join(dict.fromkeys(f"`{one.name}`" for one in (*clock, *temperature, *power))),
            ]
        )
    told = [_("clock MHz"), _("expected:"), _("temperature °C"), _("first trip:"), _("power W"), _("read from")]
    return Table([*named(), *told], lines)


def _range(shown: Sequence[Shown], scale: float, decimals: int) -> str:
    if not shown:
        return _("not told")
    low, high = min(one.low for one in shown), max(one.high for one in shown)
    return wording.span(f"{low * scale:.{decimals}f}", f"{high * scale:.{decimals}f}")


def _limit(shown: Sequence[Shown], scale: float) -> str:
    limits = [one.limit for one in shown if one.limit is not None]
    return f"{limits[0] * scale:.0f}" if limits else _("not told")
