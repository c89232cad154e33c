"""The report's tables of comparisons: ratios with their intervals, verdicts, and what an interval covers."""

from typing import List, Optional, Sequence

from harness.host.report import steadiness, wording
from harness.host.report.compare import ENOUGH_BUILDS, Comparison, Rows
from harness.host.report.language import _, ngettext
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
                wording.span(wording.times(min(value.per_round)), wording.times(max(value.per_round))),
                str(value.rounds),
                could_show(value.detectable),
                wording.verdict(one.verdict),
                notes.mark(caveats(one)),
            ]
        )
    ratios = [_("time ratio:"), _("95 %% interval"), _("speed-up:"), _("rounds' ratios"), _("rounds:")]
    headers = [_("model"), _("engine"), _("baseline"), *ratios, _("could show:"), _("verdict"), _("notes")]
    return Table(headers, lines)


def rates_compared(comparisons: Sequence[Comparison], notes: Footnotes) -> Table:
    """As `compared`, where more is better: ratios of rates, and no speed-up, which would be the same figure."""
    table = compared(comparisons, notes)
    without = [place for place, header in enumerate(table.headers) if header != _("speed-up:")]
    headers = [_("rate ratio:") if header == _("time ratio:") else header for header in table.headers]
    return Table([headers[place] for place in without], [[row[place] for place in without] for row in table.rows])


def interval(value: Ratio) -> str:
    if value.low is None or value.high is None:
        return _("none")
    return wording.span(wording.times(value.low), wording.times(value.high))


def could_show(detectable: Optional[float]) -> str:
    """The smallest difference that would have been shown nine times in ten."""
    if detectable is None:
        return _("none")
    if detectable - 1 <= 0.0001:
        return f"< {wording.percent('0.01')}"
    return wording.percent(wording.of_hundred(detectable - 1))


def _side(side: Rows) -> str:
    experiment = side[0].experiment
    called = wording.of_builds(experiment, side[0].variant, len(side)) if len(side) > 1 else name(side[0])
    return f"{called}, {wording.threads(experiment.inference.threads)}"


def caveats(one: Comparison) -> List[str]:
    """All that a reader must know with a ratio."""
    found = one.badges
    if one.ratio.dropped:
        found.append(_dropped(one.ratio.dropped, max(len(one.ours), len(one.theirs)) > 1))
    return [*found, *_of_builds(one), *steadiness.flags(one.shown)]


def _dropped(rounds: int, several: bool) -> str:
    """Of `several` builds a side, or of one."""
    if several:
        return ngettext(
            "%(count)s round dropped: not all cells ended ok",
            "%(count)s rounds dropped: not all cells ended ok",
            rounds,
            count=rounds,
        )
    return ngettext(
        "%(count)s round dropped: only one of the two cells ended ok",
        "%(count)s rounds dropped: only one of the two cells ended ok",
        rounds,
        count=rounds,
    )


def _of_builds(one: Comparison) -> List[str]:
    """What the interval covers where builds of an engine differ, or where there are several."""
    if one.covers_builds:
        counts = {"ours": len(one.ours), "theirs": len(one.theirs)}
        if one.only_builds is None:
            return [_("the interval covers builds and rounds: %(ours)s and %(theirs)s builds", **counts)]
        return [
            _(
                "the interval covers builds and rounds: %(ours)s and %(theirs)s builds; "
                "fewer than %(enough)s say little",
                enough=ENOUGH_BUILDS,
                **counts,
            )
        ]
    if one.only_builds is not None or max(len(one.ours), len(one.theirs)) > 1:
        return [
            _(
                "the interval covers rounds of these very engines; another build of one may have another speed "
                "(BUILDS=%(enough)s or more measures that)",
                enough=ENOUGH_BUILDS,
            )
        ]
    return []
