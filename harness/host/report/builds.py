"""The report's table of builds: how much of what moves comes with the build, with the round, and with the process."""

from typing import List, Sequence

from harness.host.report import wording
from harness.host.report.collect import Row
from harness.host.report.compare import together
from harness.host.report.language import _, ngettext
from harness.host.report.table import Footnotes, Table
from harness.host.report.tables import named
from harness.host.stats.components import components


def table(rows: Sequence[Row], notes: Footnotes) -> Table:
    """Engines that were built at least twice, and whose builds were measured in two common rounds."""
    lines: List[List[str]] = []
    for side in together([row for row in rows if row.measured and row.computes]):
        found = components([row.times_ns for row in side])
        if found is None:
            continue
        first = side[0]
        dropped = ngettext(
            "%(count)s round dropped: not every build's cell ended ok",
            "%(count)s rounds dropped: not every build's cell ended ok",
            found.dropped,
            count=found.dropped,
        )
        share = wording.span(f"{found.build_share_low * 100:.0f}", f"{found.build_share_high * 100:.0f}")
        lines.append(
            [
                wording.setting(first.experiment),
                wording.of_builds(first.experiment, first.variant, len(side)),
                str(first.experiment.inference.threads),
                str(found.rounds),
                *(wording.percent(wording.of_hundred(value)) for value in (found.build, found.round, found.cell)),
                wording.percent(f"{found.build_share * 100:.0f}"),
                wording.percent(share),
                "< 0.001" if found.p < 0.001 else f"{found.p:.2g}",
                notes.mark([dropped] if found.dropped else []),
            ]
        )
    spreads = [_("builds differ by:"), _("rounds by:"), _("processes by:"), _("share of builds:")]
    return Table([*named(), _("rounds:"), *spreads, _("95 %% interval"), _("p:"), _("notes")], lines)
