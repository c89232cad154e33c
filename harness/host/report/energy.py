"""The report's energy: joules of an inference by row, what they are of, and for every row without any why."""

from typing import Dict, List, NamedTuple, Sequence, Tuple

from harness.host.report import recorded, wording
from harness.host.report.collect import Row
from harness.host.report.language import _
from harness.host.report.sensed import OfRows
from harness.host.report.table import Footnotes, Table
from harness.host.report.tables import name, named
from harness.host.stats.energy import Energy
from harness.host.stats.integral import Refused
from harness.host.stats.mean_of_rounds import MeanOfRounds, mean_of_rounds
from harness.records import Telemetry


class OfRow(NamedTuple):
    """Cells of one row, by round."""

    told: Dict[int, Energy]
    refused: Dict[int, str]

    @property
    def gross(self) -> MeanOfRounds:
        """In joules; where there is a round that tells."""
        return mean_of_rounds(*zip(*((one.gross_j, one.gross_u_j) for one in self.told.values())))

    @property
    def power_w(self) -> float:
        return sum(one.power_w for one in self.told.values()) / len(self.told)

    @property
    def above_idle(self) -> Dict[int, Tuple[float, float]]:
        """Joules and their standard uncertainty, of the rounds that tell."""
        return {
            number: (one.above_idle_j, one.above_idle_u_j)
            for number, one in self.told.items()
            if one.above_idle_j is not None and one.above_idle_u_j is not None
        }


class Section(NamedTuple):
    table: Table
    sources: List[str]
    """What power that was: each once."""
    refused: List[str]
    """Rows without any energy, each with its reason."""
    untold: str
    """Why no cell could have any, in a sentence; empty where one could."""


def of_row(row: Row, sensed: OfRows) -> OfRow:
    cells = sensed.get(row.experiment.slug(), {})
    return OfRow(
        told={number: one.energy for number, one in cells.items() if isinstance(one.energy, Energy)},
        refused={number: one.energy.reason for number, one in cells.items() if isinstance(one.energy, Refused)},
    )


def section(rows: Sequence[Row], sensed: OfRows, notes: Footnotes) -> Section:
    """Rows that compute nothing have none: a second of them would be a million iterations."""
    measured = [row for row in rows if row.measured and row.computes]
    untold = _untold(measured)
    lines, sources, refused = [], [], []
    for row in measured:
        found = of_row(row, sensed)
        if found.told:
            lines.append(_line(row, found, notes))
            sources += [recorded.said(one.means) for one in found.told.values()]
        elif not untold:
            number, reason = next(iter(found.refused.items()))
            said = (
                f"{name(row)}, {wording.setting(row.experiment)}, {wording.threads(row.experiment.inference.threads)}"
            )
            refused.append(
                _(
                    "%(name)s: refused in every round; round %(round)s: %(reason)s",
                    name=said,
                    round=number,
                    reason=recorded.said(reason),
                )
            )
    figures = [_("gross mJ:"), _("above idle mJ:"), _("power W:"), _("idle W:"), _("per joule:")]
    table = Table([*named(), *figures, _("rounds:"), _("notes")], lines)
    return Section(table, list(dict.fromkeys(sources)), refused, untold)


def _line(row: Row, found: OfRow, notes: Footnotes) -> List[str]:
    gross, above = found.gross, found.above_idle
    rest = mean_of_rounds(*zip(*above.values())) if above else None
    idle = [one.idle_w for one in found.told.values() if one.idle_w is not None]
    rounds = len(found.told) + len(found.refused)
    return [
        wording.setting(row.experiment),
        name(row),
        str(row.experiment.inference.threads),
        _joules(gross),
        _joules(rest) if rest is not None else _("none"),
        wording.figure(found.power_w),
        wording.figure(sum(idle) / len(idle)) if idle else _("none"),
        wording.figure(1 / gross.value),
        f"{len(found.told)}/{rounds}",
        notes.mark([*row.badges, *_shortfalls(found)]),
    ]


def _joules(value: MeanOfRounds) -> str:
    return f"{wording.figure(value.value * 1e3)} ± {wording.figure(value.half * 1e3, 2)}"


def _shortfalls(found: OfRow) -> List[str]:
    """What a reader must know of the rounds that do not tell; reasons hold figures, so the first one speaks."""
    said = []
    rounds = len(found.told) + len(found.refused)
    if found.refused:
        number, reason = next(iter(found.refused.items()))
        said.append(
            _(
                "energy refused in %(count)s of %(rounds)s rounds; round %(round)s: %(reason)s",
                count=len(found.refused),
                rounds=rounds,
                round=number,
                reason=recorded.said(reason),
            )
        )
    without = [(number, one) for number, one in found.told.items() if one.above_idle_j is None]
    if without:
        number, one = without[0]
        said.append(
            _(
                "no energy above idle in %(count)s of %(rounds)s rounds; round %(round)s: %(reason)s",
                count=len(without),
                rounds=rounds,
                round=number,
                reason=recorded.said(one.above_idle_reason),
            )
        )
    return said


def _untold(rows: Sequence[Row]) -> str:
    watched = [one.telemetry for row in rows for one in row.results if one.telemetry is not None]
    if not watched:
        return _(
            "Not measured: no sensor was looked at (SAMPLING_S=0 leaves them alone), and nothing else tells power."
        )
    if any(one.channel(channel) is not None for one in watched for channel in one.total):
        return ""
    why = _absent(watched)
    would = _(
        "What would: the INA3221 rails of a Jetson, NVML on a discrete NVIDIA GPU, or RAPL counters that this user may "
        "read."
    )
    if why:
        said = _("Not measured: nothing on this machine tells its power (%(why)s).", why=why)
    else:
        said = _("Not measured: nothing on this machine tells its power.")
    return f"{said} {would}"


def _absent(watched: Sequence[Telemetry]) -> str:
    """Of the channels that would tell."""
    found = {
        f"{channel.name}: {recorded.said(channel.reason)}": None
        for one in watched
        for channel in one.channels
        if channel.name.startswith(("power/", "energy/")) and channel.reason
    }
    return "; ".join(found)
