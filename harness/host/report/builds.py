"""The report's table of builds: how much of what moves comes with the build, with the round, and with the process."""

from typing import List, Sequence

from harness.host.report import wording
from harness.host.report.collect import Row
from harness.host.report.compare import together
from harness.host.report.table import Footnotes, Table
from harness.host.stats.components import components


def table(rows: Sequence[Row], notes: Footnotes) -> Table:
    """Engines that were built at least twice, and whose builds were measured in two common rounds."""
    lines: List[List[str]] = []
    for side in together([row for row in rows if row.measured and row.computes]):
        found = components([row.times_ns for row in side])
        if found is None:
            continue
        first = side[0]
        dropped = [f"{found.dropped} round(s) dropped: not every build's cell ended ok"] if found.dropped else []
        lines.append(
            [
                wording.setting(first.experiment),
                wording.of_builds(first.experiment, first.variant, len(side)),
                str(first.experiment.inference.threads),
                str(found.rounds),
                *(f"{value * 100:.2g} %" for value in (found.build, found.round, found.cell)),
                f"{found.build_share * 100:.0f} %",
                f"{found.build_share_low * 100:.0f} to {found.build_share_high * 100:.0f} %",
                "< 0.001" if found.p < 0.001 else f"{found.p:.2g}",
                notes.mark(dropped),
            ]
        )
    headers = ["model", "engine", "threads:", "rounds:", "builds differ by:", "rounds by:", "processes by:"]
    return Table([*headers, "share of builds:", "95 % interval", "p:", "notes"], lines)
