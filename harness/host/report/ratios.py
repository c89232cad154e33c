"""The report's tables of comparisons: ratios with their intervals, verdicts, and what an interval covers."""

from typing import List, Optional, Sequence

from harness.host.report import steadiness, wording
from harness.host.report.compare import ENOUGH_BUILDS, Comparison, Rows
from harness.host.report.table import Footnotes, Table
from harness.host.report.tables import name
from harness.host.stats.ratio import Ratio


def compared(comparisons: Sequence[Comparison], notes: Footnotes) -> Table:
    lines = []
    for one in comparisons:
        value, row = one.shown, one.row
        lines.append(
            [
                wording.setting(row.experiment),
                *(_side(side) for side in (one.ours, one.theirs)),
                wording.times(value.value),
                interval(value),
                wording.times(1 / value.value),
                f"{wording.times(min(value.per_round))} to {wording.times(max(value.per_round))}",
                str(value.rounds),
                could_show(value.detectable),
                one.verdict,
                notes.mark(caveats(one)),
            ]
        )
    headers = ["model", "engine", "baseline", "time ratio:", "95 % interval", "speed-up:", "rounds' ratios", "rounds:"]
    return Table([*headers, "could show:", "verdict", "notes"], lines)


def rates_compared(comparisons: Sequence[Comparison], notes: Footnotes) -> Table:
    """As `compared`, where more is better: ratios of rates, and no speed-up, which would be the same figure."""
    table = compared(comparisons, notes)
    without = [place for place, header in enumerate(table.headers) if header != "speed-up:"]
    headers = ["rate ratio:" if header == "time ratio:" else header for header in table.headers]
    return Table([headers[place] for place in without], [[row[place] for place in without] for row in table.rows])


def interval(value: Ratio) -> str:
    if value.low is None or value.high is None:
        return "none"
    return f"{wording.times(value.low)} to {wording.times(value.high)}"


def could_show(detectable: Optional[float]) -> str:
    """The smallest difference that would have been shown nine times in ten."""
    if detectable is None:
        return "none"
    percent = (detectable - 1) * 100
    if percent >= 100:
        return f"{percent:.0f} %"
    return f"{percent:.2g} %" if percent > 0.01 else "< 0.01 %"


def _side(side: Rows) -> str:
    experiment = side[0].experiment
    called = wording.of_builds(experiment, side[0].variant, len(side)) if len(side) > 1 else name(side[0])
    return f"{called}, {wording.threads(experiment.inference.threads)}"


def caveats(one: Comparison) -> List[str]:
    """All that a reader must know with a ratio."""
    found = one.badges
    if one.ratio.dropped:
        cells = "not all" if max(len(one.ours), len(one.theirs)) > 1 else "only one of the two"
        found.append(f"{one.ratio.dropped} round(s) dropped: {cells} cells ended ok")
    return [*found, *_of_builds(one), *steadiness.flags(one.shown)]


def _of_builds(one: Comparison) -> List[str]:
    """What the interval covers where builds of an engine differ, or where there are several."""
    if one.covers_builds:
        few = f"; fewer than {ENOUGH_BUILDS} say little" if one.only_builds is not None else ""
        return [f"the interval covers builds and rounds: {len(one.ours)} and {len(one.theirs)} builds{few}"]
    if one.only_builds is not None or max(len(one.ours), len(one.theirs)) > 1:
        return [
            "the interval covers rounds of these very engines; another build of one may have another speed "
            f"(BUILDS={ENOUGH_BUILDS} or more measures that)"
        ]
    return []
