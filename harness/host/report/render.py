"""Puts a report together and writes it; only this module knows the Markdown's template and the report's file names."""

from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence

import jinja2
from msgspec import UNSET

from harness import upgrades
from harness.host import runs
from harness.host.report import (
    advice,
    engines,
    exports,
    facts,
    headline,
    language,
    page,
    plots,
    ratios,
    sections,
    steadiness,
    table,
    tables,
    verdicts,
    wording,
)
from harness.host.report.collect import Row, rows
from harness.host.report.compare import ENOUGH_BUILDS, comparisons, thread_comparisons
from harness.host.runs import RunData
from harness.records import Machine

TEMPLATES = Path(__file__).parent / "templates"
REPORT, PAGE, PLOT, COURSE = "report.md", "report.html", "latency.svg", "course.svg"
CSV, TEXT = "summary.csv", "baseline.txt"


class Report(NamedTuple):
    path: Path
    page: Path
    """The same as HTML."""
    headline: str


def write(folder: Path, code: str = language.ENGLISH) -> Report:
    """Renders the run in `folder` into it, in this language; every file appears whole or not at all.

    What is for programs and terminals is English in every language.
    """
    boards = runs.load(folder)
    found = [rows(data) for data in boards]
    with language.written_in(code):
        report = _write(folder, boards, found)
    with language.written_in(language.ENGLISH):
        _export(folder, boards, found)
    return report


def _write(folder: Path, boards: List[RunData], found: List[List[Row]]) -> Report:
    texts, sentences, drawn = [], [], {}
    for data, each in zip(boards, found):
        mark = f"-{data.on.board}" if len(boards) > 1 else ""
        plot, course = (_named(f"{Path(name).stem}{mark}.svg") for name in (PLOT, COURSE))
        text, sentence = render(data, each, plot, course)
        drawn.update({plot: plots.distribution(each), course: plots.course(each)})
        texts.append(text)
        sentences.append(sentence)
    text = texts[0]
    if len(boards) > 1:
        text = sections.of_boards(boards[0].run.plan.title, [data.on.board for data in boards], sentences, texts)
    for name, svg in drawn.items():
        upgrades.write_bytes(folder / name, svg)
    report = Report(folder / _named(REPORT), folder / _named(PAGE), _together(boards, sentences))
    upgrades.write_bytes(report.page, page.page(text, drawn).encode("utf-8"))
    upgrades.write_bytes(report.path, text.encode("utf-8"))
    return report


def _export(folder: Path, boards: List[RunData], found: List[List[Row]]) -> None:
    together = [row for each in found for row in each]
    sentences = [_said(data, each)[0] for data, each in zip(boards, found)]
    csv = exports.summary_csv(together, {data.on.board: data.rounds for data in boards})
    rounds = max(data.rounds for data in boards)
    text = exports.baseline_txt(boards[0].run, together, _together(boards, sentences), rounds)
    upgrades.write_bytes(folder / CSV, csv.encode("utf-8"))
    upgrades.write_bytes(folder / TEXT, text.encode("utf-8"))


def _named(name: str) -> str:
    """`report.md`, and in Korean `report.ko.md`: no language overwrites another."""
    code = language.current()
    stem, dot, ending = name.rpartition(".")
    return name if code == language.ENGLISH else f"{stem}.{code}{dot}{ending}"


def _together(boards: Sequence[RunData], sentences: Sequence[str]) -> str:
    """The headline of all boards."""
    if len(boards) == 1:
        return sentences[0]
    return "; ".join(f"{data.on.board}: {said}" for data, said in zip(boards, sentences))


def _said(data: RunData, found: List[Row]) -> List[str]:
    headlined = comparisons(found, data.run.plan.baseline, data.pilot) or thread_comparisons(found, data.pilot)
    return headline.sentences(headlined, found, data.run.plan.baseline)


def render(data: RunData, found: List[Row], plot: str = PLOT, course: str = COURSE) -> "tuple[str, str]":
    """The report of one board and its headline, from records alone."""
    compared = comparisons(found, data.run.plan.baseline, data.pilot)
    threads = thread_comparisons(found, data.pilot)
    headlined = compared or threads
    latencies, rates = ([one for one in compared if one.throughput is kind] for kind in (False, True))
    said = headline.sentences(headlined, found, data.run.plan.baseline)
    notes = table.Footnotes()
    seen = verdicts.seen(data.results)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(TEMPLATES)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # this is Markdown; table.markdown escapes what is special there
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(language.found, language.found_plural, newstyle=True)  # type: ignore[attr-defined]
    environment.filters["table"] = table.markdown
    text = environment.get_template("report.md.j2").render(
        run=data.run,
        added=data.rounds - data.run.plan.rounds,
        machine=data.machine,
        code=language.current(),
        headline=said[0],
        also=said[1:],
        unfinished=_unfinished(data),
        seen=seen,
        counts=", ".join(f"{word} {count}" for word, count in seen.counts.items()),
        broken=data.broken,
        latency=tables.latency(found, data.rounds, notes),
        throughput=tables.throughput(found, data.rounds, notes),
        compared=ratios.compared(latencies, notes),
        rates=ratios.rates_compared(rates, notes),
        threads=ratios.compared([one for one in threads if not one.throughput], notes),
        thread_rates=ratios.rates_compared([one for one in threads if one.throughput], notes),
        notes=notes.lines(),
        few=steadiness.few(headlined),
        steady=steadiness.table(found),
        bounds=tables.percentile_bounds(found),
        steps=tables.steps(found),
        accuracy=tables.accuracy(found),
        engines=engines.engines(found),
        settings=engines.settings(found),
        of_builds=any(row.experiment.build.build_number is not UNSET or row.builds_vary for row in found),
        enough_builds=ENOUGH_BUILDS,
        untried=_untried(found, data.machine),
        shortfalls=tables.shortfalls(found),
        generated=[wording.model(one.reference) for one in data.run.models if one.weights == "generated"],
        facts=facts.facts(data.machine),
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


def _unfinished(data: RunData) -> Dict[str, int]:
    planned, ended = len(runs.cells(data.run, data.on)), len(data.results)
    return {} if ended >= planned else {"ended": ended, "planned": planned}
