"""Reports of runs with fixed numbers: the whole page against a golden one, and each form of the headline.

After a wanted change: UPDATE_GOLDEN=1 make test, then read the difference before you commit it.
"""

import os
import xml.etree.ElementTree
from pathlib import Path
from typing import List

import pytest

from harness.host import report, runs
from harness.host.report import plots, table, wording
from harness.host.report.collect import rows
from harness.records import Experiment, Result
from tests import example_run
from tests.example_run import ended, experiment, result

GOLDEN = Path(__file__).parent / "golden" / "report.md"
NULL, ORT, TVM = experiment("null"), experiment("onnxruntime"), experiment("tvm")
ORT1 = experiment("onnxruntime", threads=1)
SHORT = ["2 of 20 warm-ups in a budget of 3 s", "10 of 100 iterations in a budget of 3 s"]


def five(one: Experiment, middle_ms: float = 0, **more: object) -> List[Result]:
    return [result(one, number, middle_ms or None, **more) for number in range(1, 6)]


def spread(one: Experiment, middle_ms: float, by: float) -> List[Result]:
    """Rounds that lie alternately above and below."""
    return [result(one, number, middle_ms * (1 + by * (-1) ** number)) for number in range(1, 6)]


def headline(tmp_path: Path, results: List[Result], **more: object) -> str:
    experiments = list(dict.fromkeys(one.experiment for one in results))
    return report.write(example_run.write(tmp_path / "run", results, experiments, **more)).headline  # type: ignore[arg-type]


def test_the_whole_page(tmp_path: Path) -> None:
    tvm = [*five(TVM, deviations=SHORT)[:4], ended(TVM, 5, "crashed", "ended by signal 9 (SIGKILL); last line: a | b")]
    results = [*five(NULL), *five(ORT), *five(ORT1, 14), *tvm]
    folder = example_run.write(tmp_path / "20261123T101500Z-yolov5n@320-abcdef", results, [NULL, ORT, TVM, ORT1])
    written = report.write(folder)
    text = written.path.read_text()
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()
    assert f"**{written.headline}**" in text
    again = report.write(folder)
    assert again.path.read_text() == text


def test_the_headlines_form(tmp_path: Path) -> None:
    said = headline(tmp_path, [*five(ORT), *spread(TVM, 226, 0.02)])
    assert said.startswith("TVM untuned takes 22.")
    assert " times the time of ONNX Runtime (baseline, 2 threads), 95 % interval 2" in said
    assert said.endswith("; yolov5n 320, fp32")


def test_a_small_difference_is_said_in_percent(tmp_path: Path) -> None:
    said = headline(tmp_path, [*five(ORT), *spread(TVM, 9.5, 0.001)])
    assert "takes 0.950 times the time of ONNX Runtime (baseline, 2 threads) (5.0 % less), 95 % interval 0.949" in said


def test_no_difference_is_said_so(tmp_path: Path) -> None:
    said = headline(tmp_path, [*five(ORT), *spread(TVM, 10, 0.05)])
    assert said.startswith("TVM untuned is not distinguishable from ONNX Runtime (baseline, 2 threads): ratio 0.9")


def test_two_rounds_give_no_verdict(tmp_path: Path) -> None:
    said = headline(tmp_path, [*five(ORT)[:2], *five(TVM)[:2]], rounds=2)
    assert "takes about 22.6 times the time of ONNX Runtime (baseline, 2 threads), 2 rounds only: no verdict" in said
    assert "interval" not in said


def test_a_shortened_cell_shows_in_the_headline(tmp_path: Path) -> None:
    said = headline(tmp_path, [*five(ORT), *five(TVM, deviations=SHORT)])
    assert said.endswith("fp32 [shortened by its time budget: TVM untuned]")


def test_one_backend_alone_is_compared_over_threads_and_says_so(tmp_path: Path) -> None:
    skipped = [ended(TVM, number, "skipped", "TVM publishes no wheel for Python 3.8") for number in range(1, 6)]
    said = headline(tmp_path, [*five(ORT), *spread(ORT1, 14, 0.01), *skipped])
    assert said.startswith("ONNX Runtime with 2 threads takes 0.7")
    assert "the time of ONNX Runtime with 1 thread" in said
    assert said.endswith("(threads are compared here, not backends)")


def test_nothing_to_compare_says_why(tmp_path: Path) -> None:
    skipped = [ended(TVM, number, "skipped", "no wheel") for number in range(1, 6)]
    said = headline(tmp_path, [*five(NULL), *five(ORT), *skipped])
    assert said == ("Nothing to compare: only ONNX Runtime was measured, with one setting each (TVM: no wheel)")
    said = headline(tmp_path / "2", skipped)
    assert said == "Nothing to compare: no backend was measured (no wheel)"
    said = headline(tmp_path / "3", [*five(ORT), *skipped], baseline="tvm")
    assert said == "Nothing to compare: the declared baseline, TVM, was not measured; ONNX Runtime was (TVM: no wheel)"


@pytest.mark.parametrize(
    "other",
    [{"threads": 1}, {"precision": "fp16"}, {"batch": 2}, {"model": "yolov5s"}],
    ids=lambda one: next(iter(one)),
)
def test_what_differs_in_its_setting_is_never_compared(tmp_path: Path, other: dict) -> None:
    results = [*five(ORT), *five(experiment("tvm", **other))]
    assert headline(tmp_path, results).startswith("Nothing to compare")


def test_the_declared_baseline_wins_and_null_is_never_one(tmp_path: Path) -> None:
    said = headline(tmp_path, [*five(NULL), *five(ORT), *five(TVM)], baseline="tvm")
    assert "the time of TVM untuned (baseline, 2 threads)" in said
    said = headline(tmp_path / "2", [*five(NULL), *five(ORT), *five(TVM)], baseline="null")
    assert said.startswith("Nothing to compare")


def test_an_unfinished_run_says_so_and_shows_what_there_is(tmp_path: Path) -> None:
    folder = example_run.write(tmp_path / "run", [*five(ORT)[:3], *five(TVM)[:2]], [ORT, TVM])
    text = report.write(folder).path.read_text()
    assert "**Unfinished: 5 of 10 cells have ended.**" in text
    assert "2 rounds only: no verdict" in text


def test_every_cell_that_is_not_ok_is_listed_with_its_reason(tmp_path: Path) -> None:
    tvm = [
        result(TVM, 1),
        ended(TVM, 2, "failed", "output output0 differs"),
        ended(TVM, 3, "crashed", "ended by signal 11"),
        ended(TVM, 4, "crashed", "ended by signal 11"),
        result(TVM, 5),
    ]
    folder = example_run.write(tmp_path / "run", [*five(ORT), *tvm], [ORT, TVM])
    text = report.write(folder).path.read_text()
    assert any("failed" in line and "output output0 differs" in line for line in text.splitlines())
    assert any("crashed" in line and "3, 4" in line and "signal 11" in line for line in text.splitlines())
    assert "3 rounds dropped" in text


def test_cells_cannot_break_a_table() -> None:
    text = table.markdown(table.Table(["a", "b:"], [["x | y\nz", "1"], ["`q`", "22"]]))
    assert text.splitlines() == [
        r"| a        |   b |",
        r"| -------- | --: |",
        r"| x \| y z |   1 |",
        r"| `q`      |  22 |",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(22.64, "22.6"), (0.0224, "0.0224"), (0.58, "0.580"), (123456, "123456"), (56, "56.0"), (9.999, "10.0"), (0, "0")],
)
def test_figures_have_three_digits(value: float, text: str) -> None:
    assert wording.figure(value) == text


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (226_000_000, "226.0"),
        (10_123_456, "10.12"),
        (1_234_567, "1.235"),
        (123_456, "0.1235"),
        (311, "0.000311"),
        (5e9, "5000"),
    ],
)
def test_milliseconds_keep_what_the_clock_knew(nanoseconds: float, text: str) -> None:
    assert wording.milliseconds(nanoseconds) == text


def test_the_plot_is_well_formed_and_the_same_each_time(tmp_path: Path) -> None:
    folder = example_run.write(tmp_path / "run", [*five(NULL), *five(ORT), *five(TVM)], [NULL, ORT, TVM])
    found = rows(runs.load_one(folder))
    drawn = plots.distribution(found)
    assert drawn == plots.distribution(found)
    root = xml.etree.ElementTree.fromstring(drawn)
    words = " ".join(root.itertext())
    assert "ONNX Runtime" in words
    assert "null" not in words, "what computes nothing would squeeze the axis"
    assert xml.etree.ElementTree.fromstring(plots.distribution([])) is not None
