"""What the sensors of a board gave in a self-test: which quantities can be read, and what they say of the cells."""

from typing import Dict, Iterable, List, Set

from harness.host.runs import RunData
from harness.host.selftest.cells import name
from harness.host.selftest.line import OK, SENSOR, SKIPPED, Line
from harness.records import Channel, Result, Telemetry
from harness.records.verdict import INVALID


def lines(data: RunData) -> List[Line]:
    """Of the cells that were measured; the floor's too, since sensors do not care what runs."""
    ok = [one for one in data.results if one.status == "ok"]
    telemetry = [one.telemetry for one in ok if one.telemetry is not None]
    if not telemetry:
        return [Line(SENSOR, "any", SKIPPED, "no cell that was measured has telemetry")]
    return [*_channels(telemetry), *_state(telemetry[0]), *_cost(telemetry), *_verdicts(ok)]


def _channels(telemetry: List[Telemetry]) -> Iterable[Line]:
    """Each channel by what the cell said that read most of it."""
    best: Dict[str, Channel] = {}
    cells: Dict[str, int] = {}
    for one in telemetry:
        for channel in one.channels:
            cells[channel.name] = cells.get(channel.name, 0) + (channel.readings > 0)
            if channel.name not in best or channel.readings > best[channel.name].readings:
                best[channel.name] = channel
    for channel in best.values():
        if channel.readings:
            read = f"read in {cells[channel.name]} of {len(telemetry)} cells, {channel.unit} from {channel.source}"
            yield Line(SENSOR, channel.name, OK, read)
        else:
            yield Line(SENSOR, channel.name, SKIPPED, channel.reason or "it gave no reading")


def _state(one: Telemetry) -> Iterable[Line]:
    if one.before is not None:
        mode, locked = one.before.power_mode, one.before.locked
        yield Line(SENSOR, "power mode", OK if mode else SKIPPED, mode or one.before.power_mode_reason)
        said = "yes" if locked else one.before.locked_reason
        yield Line(
            SENSOR, "clocks held", SKIPPED if locked is None else OK, said if locked is not False else f"no: {said}"
        )


def _cost(telemetry: List[Telemetry]) -> Iterable[Line]:
    """By the longest cell: in a cell of a moment, the first sweep is all there is."""
    costs = [one.cost for one in telemetry if one.cost is not None and one.cost.wall_s > 0]
    if costs:
        longest = max(costs, key=lambda cost: cost.wall_s)
        share, slowest = longest.cpu_s / longest.wall_s, max(cost.worst_sweep_s for cost in costs)
        text = f"{share:.1%} of one CPU over {longest.wall_s:.3g} s, slowest sweep {slowest:.2g} s"
        yield Line(SENSOR, "what sensing takes", OK, text)


def _verdicts(ok: List[Result]) -> Iterable[Line]:
    """Invalid times prove nothing, and say nothing against the board either: it was busy, say."""
    invalid = [one for one in ok if one.integrity is not None and one.integrity.verdict == INVALID]
    for one in invalid:
        assert one.integrity is not None
        why = "; ".join(cause.reason for cause in one.integrity.causes if cause.weight == INVALID)
        yield Line(SENSOR, f"times of {name(one.experiment)}", SKIPPED, f"not to be believed: {why}")
    judged = [one for one in ok if one.integrity is not None]
    if judged:
        yield Line(SENSOR, "times", OK, f"to be believed in {len(judged) - len(invalid)} of {len(judged)} cells")
    reasons: Dict[str, Set[str]] = {}
    for one in ok:
        if one.hardware is not None:
            said = "; ".join(cause.reason for cause in one.hardware.causes)
            reasons.setdefault(f"{one.hardware.verdict}{f': {said}' if said else ''}", set()).add(name(one.experiment))
    for text, cells in reasons.items():
        yield Line(SENSOR, "hardware", OK, f"{text} ({len(cells)} cells)")


def clocks_held(data: RunData) -> bool:
    """Whether every cell of the run began and ended with no clock that could move."""
    states = [
        state
        for one in data.results
        if one.telemetry is not None
        for state in (one.telemetry.before, one.telemetry.after)
        if state is not None
    ]
    return bool(states) and all(state.locked is True for state in states)
