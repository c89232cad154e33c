"""Puts a report together and writes it; only this module knows Jinja2 and the report's file names."""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple

import jinja2
from msgspec import UNSET

from harness import upgrades
from harness.host import runs
from harness.host.report import (
    advice,
    builds,
    conditions,
    energy,
    engines,
    exports,
    headline,
    matrix,
    memory,
    plots,
    ratios,
    sections,
    sensed,
    steadiness,
    table,
    tables,
    timeline,
    unmeasured,
    verdicts,
    wording,
)
from harness.host.report.collect import Row, rows
from harness.host.report.compare import ENOUGH_BUILDS, comparisons, thread_comparisons
from harness.host.runs import RunData
from harness.records import Machine

TEMPLATES = Path(__file__).parent / "templates"
REPORT, PLOT, COURSE = "report.md", "latency.svg", "course.svg"
CSV, TEXT = "summary.csv", "baseline.txt"


class Report(NamedTuple):
    path: Path
    headline: str


def write(folder: Path) -> Report:
    """Renders the run in `folder` into it; every file appears whole or not at all."""
    boards = runs.load(folder)
    run, found = boards[0].run, [rows(data) for data in boards]
    texts, sentences = [], []
    everywhere: sensed.OfRows = {}
    for data, each in zip(boards, found):
        mark = f"-{data.on.board}" if len(boards) > 1 else ""
        plot, course = (f"{Path(name).stem}{mark}.svg" for name in (PLOT, COURSE))
        told = sensed.of_rows(folder, each)
        everywhere.update(told)
        text, sentence = render(data, each, told, plot, course)
        upgrades.write_bytes(folder / plot, plots.distribution(each))
        upgrades.write_bytes(folder / course, timeline.course(each, told))
        texts.append(text)
        sentences.append(sentence)
    headline_, text = sentences[0], texts[0]
    if len(boards) > 1:
        headline_ = "; ".join(f"{data.on.board}: {said}" for data, said in zip(boards, sentences))
        text = sections.of_boards(run.plan.title, [data.on.board for data in boards], sentences, texts)
    together = [row for each in found for row in each]
    planned = {data.on.board: data.rounds for data in boards}
    upgrades.write_bytes(folder / CSV, exports.summary_csv(together, planned, everywhere).encode("utf-8"))
    upgrades.write_bytes(
        folder / TEXT,
        exports.baseline_txt(run, together, headline_, max(planned.values())).encode("utf-8"),
    )
    upgrades.write_bytes(folder / REPORT, text.encode("utf-8"))
    return Report(folder / REPORT, headline_)


def render(data: RunData, found: List[Row], told: sensed.OfRows, plot: str, course: str) -> "tuple[str, str]":
    """The report of one board and its headline; `told` is what its sensors told."""
    compared = comparisons(found, data.run.plan.baseline, data.pilot)
    threads = thread_comparisons(found, data.pilot)
    headlined = compared or threads
    latencies, rates = ([one for one in compared if one.throughput is kind] for kind in (False, True))
    said = headline.sentences(headlined, found, data.run.plan.baseline)
    notes = table.Footnotes()
    of_energy = energy.section(found, told, notes)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(TEMPLATES)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # this is Markdown; table.markdown escapes what is special there
    )
    environment.filters["table"] = table.markdown
    text = environment.get_template("report.md.j2").render(
        run=data.run,
        added=data.rounds - data.run.plan.rounds,
        machine=data.machine,
        headline=said[0],
        also=said[1:],
        unfinished=_unfinished(data),
        seen=verdicts.seen(data.results),
        broken=data.broken,
        latency=tables.latency(found, data.rounds, notes),
        throughput=tables.throughput(found, data.rounds, notes),
        compared=ratios.compared(latencies, notes),
        rates=ratios.rates_compared(rates, notes),
        threads=ratios.compared([one for one in threads if not one.throughput], notes),
        thread_rates=ratios.rates_compared([one for one in threads if one.throughput], notes),
        matrices=matrix.matrices(found, notes, data.pilot),
        of_several_builds=builds.table(found, notes),
        energy=of_energy,
        notes=notes.lines(),
        unmeasured=unmeasured.lines(data, found, told, of_energy),
        conditions=conditions.table(found, told),
        memory=memory.table(found),
        few=steadiness.few(headlined),
        steady=steadiness.table(found),
        bounds=tables.percentile_bounds(found),
        steps=tables.steps(found),
        device_times=tables.times_itself(found),
        accuracy=tables.accuracy(found),
        engines=engines.engines(found),
        settings=engines.settings(found),
        of_builds=any(row.experiment.build.build_number is not UNSET or row.builds_vary for row in found),
        enough_builds=ENOUGH_BUILDS,
        untried=_untried(found, data.machine),
        shortfalls=tables.shortfalls(found),
        generated=[wording.model(one.reference) for one in data.run.models if one.weights == "generated"],
        facts=_facts(data.machine),
        jetson=data.machine.l4t is not None,
        container=data.machine.container,
        steps_next=advice.steps(data, found, headlined),
        plot=plot,
        course=course,
        csv=CSV,
        text=TEXT,
    )
    return text, said[0]


def _untried(rows: List[Row], machine: Machine) -> bool:
    """Whether what this project has not been able to try yet is involved."""
    return machine.l4t is not None or any(row.experiment.build.backend.startswith("tensorrt") for row in rows)


def _unfinished(data: RunData) -> str:
    planned, ended = len(runs.cells(data.run, data.on)), len(data.results)
    return "" if ended >= planned else f"{ended} of {planned} cells have ended"


def _facts(machine: Machine) -> Dict[str, Any]:
    """The machine, a fact a line."""
    container = machine.container
    boxed = (
        {}
        if container is None
        else {
            "container": f"pin {container.jetpack}, image {container.image[:19]}, Docker {container.engine_version}",
            "base image": f"{container.base}, {', '.join(container.base_digests) or 'no digest known'}",
            "GPU access": container.gpu,
        }
    )
    if container is not None and container.memory_limit_bytes is not None:
        boxed["memory limit"] = (
            f"{container.memory_limit_bytes / 1e9:.1f} GB of CPU memory; a GPU's is not counted by it"
        )
    outside = {"module": machine.module, "L4T": machine.l4t}
    return {
        "board": machine.board,
        "system": f"{machine.system}, kernel {machine.kernel}, {machine.architecture}",
        "processor": f"{machine.cpu_model}, {machine.logical_cpus} logical CPUs, {machine.allowed_threads} allowed",
        "memory": f"{machine.memory_bytes / 1e9:.1f} GB",
        "CPU governor": machine.governor or "not readable here, so clocks are unknown",
        "clock": f"CLOCK_MONOTONIC, smallest step seen {machine.timer_step_ns} ns",
        "Python": machine.python,
        "harness": f"{machine.harness_version}, sources {machine.harness_revision}",
        **{name: value for name, value in outside.items() if value},
        **boxed,
    }
