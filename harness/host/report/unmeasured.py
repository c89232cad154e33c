"""What a reader might take for measured and was not: one line each, with the reason, read off the run's own data."""

from typing import Dict, Iterator, List, Sequence, Set

from harness.host.report import verdicts, wording
from harness.host.report.collect import Row
from harness.host.report.energy import Section
from harness.host.report.sensed import OfRows
from harness.host.report.tables import name
from harness.host.runs import RunData
from harness.records import LatencySamples

ALWAYS = (
    "Reading images, scaling them and what follows the network (boxes, suppression of overlaps): inputs are ready "
    "before the first iteration, and outputs are taken as they are.",
    "Cold starts: loading an engine and its first inferences come before the timed iterations and are in no table.",
    "How well a model detects: outputs were compared with a reference's, not with labels.",
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
        *ALWAYS,
        *(f"{text}." for text in verdicts.seen(data.results).absent),
    ]
    return list(dict.fromkeys(found))


def _jetson(data: RunData) -> Iterator[str]:
    if data.machine.l4t is None:
        yield "A Jetson: this machine is none, and no figure here says anything of one."


def _rows(rows: Sequence[Row]) -> Iterator[str]:
    """Planned rows without a single measured cell; what else was not ok is a table of its own."""
    found: Dict[str, List[str]] = {}
    for row in rows:
        if row.results and not row.measured:
            reason = row.results[0].reason
            found.setdefault(f"{row.results[0].status}: {reason}", []).append(
                f"{name(row)} ({wording.setting(row.experiment)}, {wording.threads(row.experiment.inference.threads)})"
            )
    for why, names in found.items():
        yield f"{', '.join(names)}: {why.rstrip('.')}."


def _backends(data: RunData, rows: Sequence[Row]) -> Iterator[str]:
    """Backends that the machine was asked for and that the plan leaves out."""
    planned = {row.experiment.build.backend for row in rows}
    for backend, facts in data.machine.backends.items():
        if backend not in planned and backend != "null":
            why = "this run's plan leaves it out" if facts.available else f"not available here: {facts.reason}"
            yield f"{wording.backend(backend)}: {why.rstrip('.')}."


def _precisions(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if row.measured and row.executed:
            build = row.experiment.build
            yield f"{build.precision} of {name(row)}, {wording.model(build.model)}: it executes {row.executed}."


def _modes(rows: Sequence[Row]) -> Iterator[str]:
    modes = {row.experiment.inference.issue_mode for row in rows if row.measured and row.computes}
    if modes == {"latency"}:
        yield (
            "Throughput: inferences were issued one at a time. FPS is the inverse of their latency and no rate that "
            "overlapping inferences would reach (ISSUE_MODES=throughput measures that)."
        )
    elif modes == {"throughput"}:
        yield "Latency: inferences overlapped, so that none has a time of its own (ISSUE_MODES=latency measures it)."


def _device_time(rows: Sequence[Row]) -> Iterator[str]:
    measured = [
        (row, one.samples)
        for row in rows
        if row.computes
        for one in row.results
        if isinstance(one.samples, LatencySamples)
    ]
    without = list(dict.fromkeys(name(row) for row, samples in measured if samples.device_ns is None))
    if without:
        on_gpu = any(row.experiment.inference.processor == "gpu" for row, _ in measured)
        what = "Time on the GPU's own clock" if on_gpu else "GPU time"
        why = "its runner offers no timer of the device" if on_gpu else "these engines run on the CPU"
        yield f"{what}, of {', '.join(without)}: {why}; all times are the host's."


def _energy(energy: Section) -> Iterator[str]:
    if energy.untold:
        yield "Energy and power: see *Energy* for the reason."
    elif energy.refused:
        yield f"Energy of {len(energy.refused)} rows: see *Energy* for each one's reason."
    if energy.table.rows:
        yield "What the power supply takes: sensors on the board see a part of it, and no outside meter was read."


def _memory(rows: Sequence[Row]) -> Iterator[str]:
    silent = dict.fromkeys(
        wording.backend(row.experiment.build.backend)
        for row in rows
        if row.measured and row.computes and row.engine is not None and row.engine.device_memory_bytes is None
    )
    if silent:
        yield f"Memory of each engine alone, of {', '.join(silent)}: the runtime does not tell it."


def _builds(rows: Sequence[Row]) -> Iterator[str]:
    """Builders that choose by timing, of which there is one build."""
    numbers: Dict[str, Set[object]] = {}
    for row in rows:
        if row.measured and row.builds_vary:
            build = row.experiment.build
            numbers.setdefault(wording.backend(build.backend), set()).add(build.build_number)
    single = [backend for backend, each in numbers.items() if len(each) == 1]
    if single:
        yield f"How much builds of {', '.join(single)} differ: one build was measured (BUILDS=3 measures that)."
    if any(row.measured and row.variant.startswith("untuned") for row in rows):
        tuned = any(row.measured and row.variant.startswith("tuned") for row in rows)
        if not tuned:
            yield "TVM with tuned schedules: its rows run default ones."


def _readings(rows: Sequence[Row], sensed: OfRows) -> Iterator[str]:
    for row in rows:
        for number, one in sensed.get(row.experiment.slug(), {}).items():
            if one.lost:
                yield f"What sensors told of {name(row)} in round {number}: {one.lost}."
