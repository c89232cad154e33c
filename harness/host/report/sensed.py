"""What sensors told of each cell, read once from the files beside the results and reduced to what a report shows."""

from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy

from harness.errors import RecordError
from harness.host import readings, runs
from harness.host.readings import Column, Columns
from harness.host.report.collect import Row
from harness.host.stats import energy
from harness.host.stats.energy import Energy
from harness.host.stats.integral import Refused, watts
from harness.records import Result, Telemetry, ThroughputSamples

PLACEHOLDER = "PMIC-Die"
"""On Xavier a zone of this name always reads the same."""
SHARED_ZONES = ("tj",)
"""A zone that is the hottest of a whole chip, whatever processor it is asked for."""


class Shown(NamedTuple):
    """One quantity over the iterations of a cell."""

    name: str
    """`clock/gpu`; of power its channels: `power/VDD_GPU + power/VDD_CPU`."""
    column: Column
    """From the first iteration's start to the last one's end; hertz, thousandths of a degree Celsius, or watts."""
    limit: Optional[float] = None
    """The clock that is expected or the lowest trip point, in the same unit; None where nobody told."""

    @property
    def low(self) -> float:
        return float(self.column.value.min())

    @property
    def high(self) -> float:
        return float(self.column.value.max())


class Sensed(NamedTuple):
    """Of one measured cell."""

    energy: Union[Energy, Refused]
    clock: Optional[Shown]
    """Of the processor that is measured; the fastest where it has several. None where none was told; so with others."""
    temperature: Optional[Shown]
    """The hottest zone of that processor, or of the machine where no zone is called after it."""
    power: Optional[Shown]
    lost: str = ""
    """Why readings that there were cannot be shown."""


OfRows = Dict[str, Dict[int, Sensed]]
"""By slug, then by round; only cells with samples are in it."""


def of_rows(folder: Path, rows: Sequence[Row]) -> OfRows:
    """`folder` is the run's. Never raises for readings: what is wrong with them stands in the cell."""
    return {
        row.experiment.slug(): {
            result.round: of_cell(result, runs.result_path(folder, result.experiment, result.round).parent)
            for result in row.results
            if result.samples is not None
        }
        for row in rows
    }


def of_cell(result: Result, folder: Path) -> Sensed:
    """Of a measured cell whose files lie in `folder`."""
    telemetry = result.telemetry
    if telemetry is None or result.samples is None:
        return Sensed(energy.of_cell(result, {}), None, None, None)
    try:
        columns = readings.load(telemetry, folder)
    except RecordError as error:
        why = str(error).replace(f"{folder}/", "")
        return Sensed(Refused(why), None, None, None, lost=why)
    processor = result.experiment.inference.processor
    during = {name: _within(one, end_ns(result)) for name, one in columns.items()}
    return Sensed(
        energy=energy.of_cell(result, columns),
        clock=_clock(during, telemetry, processor),
        temperature=_temperature(during, telemetry, processor),
        power=_power(columns, telemetry, end_ns(result)),
    )


def end_ns(result: Result) -> int:
    """End of the last iteration since the first one's start, of a result that has samples."""
    samples = result.samples
    assert samples is not None
    if isinstance(samples, ThroughputSamples):
        return max(samples.end_ns)
    return samples.start_ns[-1] + samples.total_ns()[-1]


def _within(column: Column, end: int) -> Column:
    inside = (column.t_ns >= 0) & (column.t_ns <= end)
    return Column(column.t_ns[inside], column.value[inside])


def _clock(during: Columns, telemetry: Telemetry, processor: str) -> Optional[Shown]:
    names = [name for name in _of_kind(during, "clock") if _about(name) == processor or _is_cpu(name, processor)]
    if not names:
        return None
    fastest = max(names, key=lambda name: float(numpy.median(during[name].value)))
    limits = telemetry.before.clocks if telemetry.before is not None else []
    expected = next((one.expected_hz for one in limits if one.name == _about(fastest)), None)
    return Shown(fastest, during[fastest], expected)


def _is_cpu(name: str, processor: str) -> bool:
    return processor == "cpu" and _about(name).startswith("cpu")


def _temperature(during: Columns, telemetry: Telemetry, processor: str) -> Optional[Shown]:
    zones = [name for name in _of_kind(during, "temperature") if _about(name) != PLACEHOLDER]
    own = [name for name in zones if _about(name).lower().startswith((processor, *SHARED_ZONES))]
    if not zones:
        return None
    hottest = max(own or zones, key=lambda name: float(during[name].value.max()))
    trips = telemetry.before.trips_mc.get(_about(hottest), {}) if telemetry.before is not None else {}
    return Shown(hottest, during[hottest], min(trips.values(), default=None))


def _power(columns: Columns, telemetry: Telemetry, end: int) -> Optional[Shown]:
    """The sum of the channels that make up the total, at the moments at which the first of them was read.

    A counter of a GPU moves in steps that are longer than a sweep: where its power is told as well, that is shown.
    """
    names = [_steadier(name, columns) for name in telemetry.total]
    told = [(name, telemetry.channel(name)) for name in names]
    series: List[Tuple[str, Column]] = []
    for name, channel in told:
        if channel is None or name not in columns:
            return None  # a sum without one of its parts is another quantity
        column = watts(columns[name], channel.unit, channel.wraps_at)
        if column is None:
            return None
        series.append((name, column))
    if not series:
        return None
    moments = series[0][1].t_ns
    total = numpy.sum([numpy.interp(moments, one.t_ns, one.value) for _, one in series], axis=0)
    inside = _within(Column(moments, total), end)
    return Shown(" + ".join(name for name, _ in series), inside) if len(inside.t_ns) else None


def _steadier(name: str, columns: Columns) -> str:
    power = name.replace("energy/", "power/", 1)
    return power if power in columns else name


def _of_kind(during: Columns, kind: str) -> List[str]:
    return [name for name, one in during.items() if name.partition("/")[0] == kind and len(one.t_ns)]


def _about(name: str) -> str:
    return name.partition("/")[2]
