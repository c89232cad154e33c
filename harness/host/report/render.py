"""Puts a report together and writes it; only this module knows Jinja2 and the report's file names."""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple

import jinja2

from harness import upgrades
from harness.host import runs
from harness.host.report import advice, exports, headline, plots, tables, wording
from harness.host.report.collect import Row, rows
from harness.host.report.compare import comparisons, thread_comparisons
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
    data = runs.load(folder)
    found = rows(data)
    text, sentence = render(data, found)
    upgrades.write_bytes(folder / PLOT, plots.distribution(found))
    upgrades.write_bytes(folder / COURSE, plots.course(found))
    upgrades.write_bytes(folder / CSV, exports.summary_csv(found, data.run.plan.rounds).encode("utf-8"))
    upgrades.write_bytes(folder / TEXT, exports.baseline_txt(data.run, found, sentence).encode("utf-8"))
    upgrades.write_bytes(folder / REPORT, text.encode("utf-8"))
    return Report(folder / REPORT, sentence)


def render(data: RunData, found: List[Row]) -> "tuple[str, str]":
    """The report and its headline, from records alone."""
    compared = comparisons(found, data.run.plan.baseline)
    threads = thread_comparisons(found)
    headlined = compared or threads
    said = headline.sentences(headlined, found)
    notes = tables.Footnotes()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(TEMPLATES)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # this is Markdown; tables.markdown escapes what is special there
    )
    environment.filters["table"] = tables.markdown
    text = environment.get_template("report.md.j2").render(
        run=data.run,
        machine=data.machine,
        headline=said[0],
        also=said[1:],
        unfinished=_unfinished(data),
        broken=data.broken,
        latency=tables.latency(found, data.run.plan.rounds, notes),
        compared=tables.compared(compared, notes),
        threads=tables.compared(threads, notes),
        notes=notes.lines(),
        bounds=tables.percentile_bounds(found),
        steps=tables.steps(found),
        accuracy=tables.accuracy(found),
        engines=tables.engines(found),
        shortfalls=tables.shortfalls(found),
        generated=[wording.model(one.reference) for one in data.run.models if one.weights == "generated"],
        facts=_facts(data.machine),
        jetson=False,
        steps_next=advice.steps(data, found, headlined),
        plot=PLOT,
        course=COURSE,
        csv=CSV,
        text=TEXT,
    )
    return text, said[0]


def _unfinished(data: RunData) -> str:
    planned, ended = len(runs.cells(data.run)), len(data.results)
    return "" if ended >= planned else f"{ended} of {planned} cells have ended"


def _facts(machine: Machine) -> Dict[str, Any]:
    """The machine, a fact a line."""
    return {
        "board": machine.board,
        "system": f"{machine.system}, kernel {machine.kernel}, {machine.architecture}",
        "processor": f"{machine.cpu_model}, {machine.logical_cpus} logical CPUs, {machine.allowed_threads} allowed",
        "memory": f"{machine.memory_bytes / 1e9:.1f} GB",
        "CPU governor": machine.governor or "not readable here, so clocks are unknown",
        "clock": f"CLOCK_MONOTONIC, smallest step seen {machine.timer_step_ns} ns",
        "Python": machine.python,
        "harness": f"{machine.harness_version}, sources {machine.harness_revision}",
    }
