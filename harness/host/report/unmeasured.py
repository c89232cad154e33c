"""What a reader might take for measured and was not: one line each, with the reason, read off the run's own data."""

from typing import Dict, Iterator, List, Sequence, Set

from harness.host.report import verdicts, wording
from harness.host.report.collect import Row
from harness.host.report.energy import Section
from harness.host.report.language import N_, _, ngettext
from harness.host.report.sensed import OfRows
from harness.host.report.tables import name
from harness.host.runs import RunData
from harness.records import LatencySamples

ALWAYS = (
    N_(
        "Reading images, scaling them and what follows the network (boxes, suppression of overlaps): inputs are ready "
        "before the first iteration, and outputs are taken as they are."
    ),
    N_("Cold starts: loading an engine and its first inferences come before the timed iterations and are in no table."),
    N_("How well a model detects: outputs were compared with a reference's, not with labels."),
)


def lines(data: RunData, rows: Sequence[Row], sensed: OfRows, energy: Section) -> List[str]:
    """Each once, the weightiest first."""
    found = [
        *_jetson(data),
        *_rows(rows),
        *_backends(data, rows),
        *_precisions(rows),
        *_modes(rows),
        *_device_time(rows),
        *_energy(energy),
        *_memory(rows),
        *_builds(rows),
        *_readings(rows, sensed),
        *(_(text) for text in ALWAYS),
        *(f"{text}." for text in verdicts.seen(data.results).absent),
    ]
    return list(dict.fromkeys(found))


def _jetson(data: RunData) -> Iterator[str]:
    if data.machine.l4t is None:
        yield _("A Jetson: this machine is none, and no figure here says anything of one.")


def _rows(rows: Sequence[Row]) -> Iterator[str]:
    """Planned rows without a single measured cell; what else was not ok is a table of its own."""
    found: Dict[str, List[str]] = {}
    for row in rows:
        if row.results and not row.measured:
            reason = row.results[0].reason
            found.setdefault(f"{wording.verdict(row.results[0].status)}: {reason}", []).append(
                f"{name(row)} ({wording.setting(row.experiment)}, {wording.threads(row.experiment.inference.threads)})"
            )
    for why, names in found.items():
        yield f"{', '.join(names)}: {why.rstrip('.')}."


def _backends(data: RunData, rows: Sequence[Row]) -> Iterator[str]:
    """Backends that the machine was asked for and that the plan leaves out."""
    planned = {row.experiment.build.backend for row in rows}
    for backend, facts in data.machine.backends.items():
        if backend not in planned and backend != "null":
            name_ = wording.backend(backend)
            if facts.available:
                yield _("%(backend)s: this run's plan leaves it out.", backend=name_)
            else:
                yield _("%(backend)s: not available here: %(reason)s.", backend=name_, reason=facts.reason.rstrip("."))


def _precisions(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if row.measured and row.executed:
            build = row.experiment.build
            yield _(
                "%(precision)s of %(name)s, %(model)s: it executes %(executed)s.",
                precision=build.precision,
                name=name(row),
                model=wording.model(build.model),
                executed=row.executed,
            )


def _modes(rows: Sequence[Row]) -> Iterator[str]:
    modes = {row.experiment.inference.issue_mode for row in rows if row.measured and row.computes}
    if modes == {"latency"}:
        yield _(
            "Throughput: inferences were issued one at a time. FPS is the inverse of their latency and no rate that "
            "overlapping inferences would reach (ISSUE_MODES=throughput measures that)."
        )
    elif modes == {"throughput"}:
        yield _("Latency: inferences overlapped, so that none has a time of its own (ISSUE_MODES=latency measures it).")


def _device_time(rows: Sequence[Row]) -> Iterator[str]:
    measured = [
        (row, one.samples)
        for row in rows
        if row.computes
        for one in row.results
        if isinstance(one.samples, LatencySamples)
    ]
    names = ", ".join(dict.fromkeys(name(row) for row, samples in measured if samples.device_ns is None))
    if names and any(row.experiment.inference.processor == "gpu" for row, samples in measured):
        yield _(
            "Time on the GPU's own clock, of %(names)s: its runner offers no timer of the device; all times are the "
            "host's.",
            names=names,
        )
    elif names:
        yield _("GPU time, of %(names)s: these engines run on the CPU; all times are the host's.", names=names)


def _energy(energy: Section) -> Iterator[str]:
    if energy.untold:
        yield _("Energy and power: see *Energy* for the reason.")
    elif energy.refused:
        count = len(energy.refused)
        yield ngettext(
            "Energy of %(count)s row: see *Energy* for its reason.",
            "Energy of %(count)s rows: see *Energy* for each one's reason.",
            count,
            count=count,
        )
    if energy.table.rows:
        yield _("What the power supply takes: sensors on the board see a part of it, and no outside meter was read.")


def _memory(rows: Sequence[Row]) -> Iterator[str]:
    silent = dict.fromkeys(
        wording.backend(row.experiment.build.backend)
        for row in rows
        if row.measured and row.computes and row.engine is not None and row.engine.device_memory_bytes is None
    )
    if silent:
        yield _("Memory of each engine alone, of %(names)s: the runtime does not tell it.", names=", ".join(silent))


def _builds(rows: Sequence[Row]) -> Iterator[str]:
    """Builders that choose by timing, of which there is one build."""
    numbers: Dict[str, Set[object]] = {}
    for row in rows:
        if row.measured and row.builds_vary:
            build = row.experiment.build
            numbers.setdefault(wording.backend(build.backend), set()).add(build.build_number)
    single = [backend for backend, each in numbers.items() if len(each) == 1]
    if single:
        yield _(
            "How much builds of %(names)s differ: one build was measured (BUILDS=3 measures that).",
            names=", ".join(single),
        )
    if any(row.measured and row.variant.startswith("untuned") for row in rows):
        tuned = any(row.measured and row.variant.startswith("tuned") for row in rows)
        if not tuned:
            yield _("TVM with tuned schedules: its rows run default ones.")


def _readings(rows: Sequence[Row], sensed: OfRows) -> Iterator[str]:
    for row in rows:
        for number, one in sensed.get(row.experiment.slug(), {}).items():
            if one.lost:
                yield _(
                    "What sensors told of %(name)s in round %(round)s: %(reason)s.",
                    name=name(row),
                    round=number,
                    reason=one.lost,
                )
