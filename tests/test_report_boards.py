"""Reports of several boards: a section each, every cell accounted for, and nothing compared across boards."""

import csv
import re
from pathlib import Path
from typing import Dict, List

import msgspec
import pytest

from harness import upgrades
from harness.host import report, runs
from harness.host.report import sections
from harness.host.runs import Run
from harness.records import Experiment, Machine, Result
from tests import example_run
from tests.example_run import ended, experiment, result

NULL, ORT, TVM = experiment("null"), experiment("onnxruntime"), experiment("tvm")


def on(one: Experiment, board: str) -> Experiment:
    return msgspec.structs.replace(one, system=msgspec.structs.replace(one.system, board=board))


def several(tmp_path: Path, boards: Dict[str, List[Result]]) -> Path:
    """Each board is written as a run of one, as a bench writes it, and the folders put together."""
    folder, run = tmp_path / "run", None
    for name, results in boards.items():
        own = [msgspec.structs.replace(one, experiment=on(one.experiment, name)) for one in results]
        experiments = list(dict.fromkeys(one.experiment for one in own))
        alone = example_run.write(tmp_path / name / "run", own, experiments)
        made = upgrades.read(alone / "run.json", Run)
        machine = upgrades.read(alone / "local" / "machine.json", Machine)
        machine = msgspec.structs.replace(machine, board=name, cpu_model=f"Processor of {name}")
        upgrades.write(folder / name / "machine.json", machine)
        for path in (alone / "local" / "engines").glob("*.json"):
            (folder / name / "engines").mkdir(exist_ok=True)
            path.rename(folder / name / "engines" / path.name)
        for path in (alone / name).iterdir():
            path.rename(folder / name / path.name)
        part = msgspec.structs.replace(made.on[0], board=name)
        run = made if run is None else run
        run = msgspec.structs.replace(
            run, on=[*(run.on if len(run.on) > 1 or run.on[0].board != "local" else []), part]
        )
    assert run is not None
    upgrades.write(folder / "run.json", run)
    return folder


def five(one: Experiment, middle_ms: float) -> List[Result]:
    return [result(one, number, middle_ms) for number in range(1, 6)]


@pytest.fixture()
def folder(tmp_path: Path) -> Path:
    """Board b is ten times as fast, and TVM crashed there."""
    crashed = [ended(TVM, number, "crashed", "ended by signal 9 (SIGKILL)") for number in range(1, 6)]
    return several(tmp_path, {"xavier.lab": [*five(ORT, 100), *five(TVM, 80)], "Orin-2": [*five(ORT, 10), *crashed]})


def test_a_section_for_each_board(folder: Path) -> None:
    text = report.write(folder).path.read_text()
    lines = text.splitlines()
    assert [line for line in lines if line.startswith("# ")] == ["# An example"]
    assert [line for line in lines if re.match("## ", line)] == ["## Board xavier.lab", "## Board Orin-2"]
    for heading in ("Latency", "Comparison", "Accuracy", "Engines", "Machine", "Skipped, failed, crashed"):
        assert lines.count(f"### {heading}") == 2
    first, second = text.split("## Board xavier.lab")[1].split("## Board Orin-2")
    assert "Processor of xavier.lab" in first
    assert "Processor of Orin-2" not in first
    assert "Processor of Orin-2" in second
    assert "ended by signal 9 (SIGKILL)" in second
    assert "ended by signal 9 (SIGKILL)" not in first


def test_links_of_the_summary_lead_to_the_sections(folder: Path) -> None:
    text = report.write(folder).path.read_text()
    links = re.findall(r"^\* \[(.*?)\]\(#(.*?)\): \*\*", text, re.MULTILINE)
    assert links == [("xavier.lab", "board-xavierlab"), ("Orin-2", "board-orin-2")]


def test_nothing_is_compared_across_boards(folder: Path) -> None:
    """Ten times as fast is no ratio in this report: 10/100, 100/10, 10/80 and 80/10 stand nowhere."""
    written = report.write(folder)
    first, second = written.headline.split("; Orin-2: ")
    assert first.startswith("xavier.lab: TVM untuned takes 0.800 times the time of ONNX Runtime")
    assert second.startswith("Nothing to compare: only ONNX Runtime was measured")
    text = written.path.read_text()
    for ratio in ("10.0 times", "0.100", "0.125", "8.00 times"):
        assert ratio not in text
    assert "xavier.lab" not in text.split("## Board Orin-2")[1]


def test_each_board_has_its_plots_and_each_row_its_board(folder: Path) -> None:
    text = report.write(folder).path.read_text()
    plots = re.findall(r"\]\((.*?\.svg)\)", text)
    assert plots == [f"{name}-{board}.svg" for board in ("xavier.lab", "Orin-2") for name in ("latency", "course")]
    assert all((folder / name).stat().st_size > 1000 for name in plots)
    with (folder / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["board"] for row in rows] == ["xavier.lab", "xavier.lab", "Orin-2", "Orin-2"]
    plain = (folder / "baseline.txt").read_text()
    assert "xavier.lab" in plain
    assert "Orin-2" in plain


def test_a_board_alone_has_the_same_figures_as_beside_another(folder: Path, tmp_path: Path) -> None:
    """Its section is its report, one heading deeper."""
    together = report.write(folder).path.read_text()
    alone = several(tmp_path / "alone", {"xavier.lab": [*five(ORT, 100), *five(TVM, 80)]})
    text = report.write(alone).path.read_text()
    body = re.sub(r"(?m)^#", "##", text.partition("\n")[2])
    for name in ("latency", "course"):
        body = body.replace(f"{name}.svg", f"{name}-xavier.lab.svg")
    assert body.strip() in together


def test_only_a_run_of_one_board_can_be_compared(folder: Path) -> None:
    with pytest.raises(runs.PlanError, match="this run is of 2 boards; only runs of one board can be compared"):
        runs.load_one(folder)


def test_what_looks_like_a_heading_in_a_code_block_stays() -> None:
    text = "# T\n\n## How\n\n```\n# a comment of a shell\nmake\n```\n\n## Next\n"
    found = sections.of_boards("T", ["a"], ["x"], [text])
    assert "\n# a comment of a shell\n" in found
    assert "\n### How\n" in found
    assert "\n### Next\n" in found
