"""Writes a run's report: only this module knows the names of its files, and which of them a language has for itself."""

from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence

from harness import upgrades
from harness.host import runs
from harness.host.report import exports, language, page, plots, render, sections, timeline, tuning, tuning_plot
from harness.host.report.findings import Findings, findings

REPORT, PAGE, PLOT, COURSE, TUNING = "report.md", "report.html", "latency.svg", "course.svg", "tuning.svg"
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
    boards = [findings(folder, data) for data in runs.load(folder)]
    with language.written_in(code):
        report = _write(folder, boards)
    with language.written_in(language.ENGLISH):
        _export(folder, boards)
    return report


def _write(folder: Path, boards: Sequence[Findings]) -> Report:
    texts: List[str] = []
    drawn: Dict[str, bytes] = {}
    for one in boards:
        mark = f"-{one.data.on.board}" if len(boards) > 1 else ""
        plot, course, effort = (_named(f"{Path(name).stem}{mark}.svg") for name in (PLOT, COURSE, TUNING))
        drawn.update({plot: plots.distribution(one.rows), course: timeline.course(one.rows, one.told)})
        if one.data.tunings:
            drawn[effort] = tuning_plot.effort(tuning.tuned(one.data, one.rows))
        texts.append(render.render(one, render.Beside(plot, course, effort, CSV, TEXT)))
    sentences, text = [one.sentences()[0] for one in boards], texts[0]
    if len(boards) > 1:
        title, names = boards[0].data.run.plan.title, [one.data.on.board for one in boards]
        text = sections.of_boards(title, names, sentences, texts)
    report = Report(folder / _named(REPORT), folder / _named(PAGE), _together(boards, sentences))
    for name, svg in drawn.items():
        upgrades.write_bytes(folder / name, svg)
    upgrades.write_bytes(report.page, page.page(text, drawn).encode("utf-8"))
    upgrades.write_bytes(report.path, text.encode("utf-8"))
    return report


def _export(folder: Path, boards: Sequence[Findings]) -> None:
    every_row = [row for one in boards for row in one.rows]
    told = {slug: cells for one in boards for slug, cells in one.told.items()}
    planned = {one.data.on.board: one.data.rounds for one in boards}
    csv = exports.summary_csv(every_row, planned, told)
    said = _together(boards, [one.sentences()[0] for one in boards])
    text = exports.baseline_txt(boards[0].data.run, every_row, said, max(planned.values()))
    upgrades.write_bytes(folder / CSV, csv.encode("utf-8"))
    upgrades.write_bytes(folder / TEXT, text.encode("utf-8"))


def _named(name: str) -> str:
    """`report.md`, and in Korean `report.ko.md`: no language overwrites another."""
    code = language.current()
    stem, dot, ending = name.rpartition(".")
    return name if code == language.ENGLISH else f"{stem}.{code}{dot}{ending}"


def _together(boards: Sequence[Findings], sentences: Sequence[str]) -> str:
    """The headline of all boards."""
    if len(boards) == 1:
        return sentences[0]
    return "; ".join(f"{one.data.on.board}: {said}" for one, said in zip(boards, sentences))
