"""Reports of engines whose builds differ, of TensorRT and of throughput, from runs with fixed numbers."""

import csv
from pathlib import Path
from typing import Any, Dict, List

import msgspec
import pytest

from harness import upgrades
from harness.host import compare as comparing
from harness.host import report, runs
from harness.host.report.collect import rows
from harness.host.report.compare import comparisons, thread_comparisons
from harness.records import Experiment, Machine, Result
from tests import example_run
from tests.example_run import ended, experiment, rated
from tests.test_report import five

ORT, TVM, TRT = experiment("onnxruntime"), experiment("tvm"), experiment("tensorrt")
RTX = experiment("tensorrt_rtx")
FAST = {"issue_mode": "throughput"}


def written(folder: Path, results: List[Result], **plan: Any) -> Path:
    return example_run.write(folder, results, list(dict.fromkeys(one.experiment for one in results)), **plan)


def headline(folder: Path, results: List[Result], **plan: Any) -> str:
    return report.write(written(folder, results, **plan)).headline


def text(folder: Path, results: List[Result], **plan: Any) -> str:
    return report.write(written(folder, results, **plan)).path.read_text()


def builds(backend: str, medians_ms: List[float], **more: Any) -> List[Result]:
    """Five rounds of each of several builds."""
    numbered = [experiment(backend, build_number=number, **more) for number in range(1, len(medians_ms) + 1)]
    return [one for each, middle in zip(numbered, medians_ms) for one in five(each, middle)]


def rates(one: Experiment, per_second: float) -> List[Result]:
    return [rated(one, number, per_second * (1 + number / 1000)) for number in range(1, 6)]


def test_tensorrt_is_the_baseline_where_it_was_measured_and_onnxruntime_next(tmp_path: Path) -> None:
    said = headline(tmp_path / "all", [*five(ORT), *five(TVM), *five(TRT)])
    assert said.startswith("ONNX Runtime takes 2.00 times the time of TensorRT (baseline, 2 threads)")
    skipped = [ended(TRT, number, "skipped", "no device here can run this engine") for number in range(1, 6)]
    said = headline(tmp_path / "skipped", [*five(ORT), *five(TVM), *skipped])
    assert "the time of ONNX Runtime (baseline, 2 threads)" in said


def test_tensorrt_rtx_is_another_product_and_never_the_baseline(tmp_path: Path) -> None:
    said = headline(tmp_path / "rtx", [*five(ORT), *five(RTX)])
    assert said.startswith("TensorRT-RTX takes 0.400 times the time of ONNX Runtime (baseline, 2 threads)")
    for declared in ("tensorrt", "tensorrt_rtx"):
        said = headline(tmp_path / declared, [*five(ORT), *five(RTX)], baseline=declared)
        assert said.startswith("Nothing to compare")


def test_one_build_of_what_varies_is_said_to_be_one(tmp_path: Path) -> None:
    said = headline(tmp_path / "one", [*five(TRT), *five(TVM, deviations=["2 of 20 warm-ups in a budget of 3 s"])])
    assert said.endswith("; yolov5n 320, fp32 [shortened by its time budget: TVM untuned], for this one engine build")
    assert "engine build" not in headline(tmp_path / "none", [*five(ORT), *five(TVM)]), "their builds are alike"
    page = text(tmp_path / "page", [*five(TRT), *five(TVM)])
    assert "the interval covers rounds of these very engines; another build of one may have another speed" in page
    assert "TensorRT chooses by timing what it builds, so that one build is one draw: BUILDS=3" in page


def test_two_builds_are_still_few_and_three_speak_for_the_backend(tmp_path: Path) -> None:
    few = [*builds("tensorrt", [5.0, 5.2]), *builds("tvm", [10.0, 10.01])]
    assert headline(tmp_path / "two", few).endswith("fp32, for these 2 engine builds")
    assert "2 and 2 builds; fewer than 3 say little" in text(tmp_path / "page", few)
    said = headline(tmp_path / "three", [*builds("tensorrt", [5.0, 5.1, 5.2]), *builds("tvm", [10.0, 10.01, 10.02])])
    assert said.endswith("; yolov5n 320, fp32")
    assert said.startswith(
        "TVM untuned takes 1.96 times the time of TensorRT (baseline, 2 threads), 95 % interval over "
    )
    assert "95 % interval over 3 and 3 builds and 5 rounds 1.8" in said


def test_three_builds_against_one_cover_those_three_alone(tmp_path: Path) -> None:
    said = headline(tmp_path / "run", [*builds("tensorrt", [5.0, 5.1, 5.2]), *five(TVM, 10)])
    assert said.endswith(", for these 3 engine builds")
    assert "builds and" not in said, "the interval covers rounds alone"


def test_builds_that_differ_widen_the_interval_to_no_verdict(tmp_path: Path) -> None:
    """One round's spread is nil here: by rounds alone 5 % would be certain."""
    alike = headline(tmp_path / "alike", [*builds("tensorrt", [10.0, 10.0, 10.0]), *builds("tvm", [10.5, 10.5, 10.5])])
    assert alike.startswith("TVM untuned takes 1.050 times")
    apart = headline(tmp_path / "apart", [*builds("tensorrt", [9.0, 10.0, 11.0]), *builds("tvm", [10.5, 10.5, 10.5])])
    assert apart.startswith("TVM untuned is not distinguishable from TensorRT")


def test_each_build_is_a_row_and_one_that_was_not_measured_is_left_out_of_the_ratio(tmp_path: Path) -> None:
    trt = builds("tensorrt", [5.0, 5.1, 5.2, 5.3])
    broken = [
        ended(one.experiment, one.round, "failed", "out of memory") if one.experiment.build.build_number == 2 else one
        for one in trt
    ]
    page = text(tmp_path / "run", [*broken, *builds("tvm", [10.0, 10.01, 10.02])])
    for number in (1, 3, 4):
        assert f"TensorRT (build {number})" in page
    assert "TensorRT (3 builds), 2 threads" in page
    assert "3 and 3 builds" in page
    assert any("TensorRT (build 2)" in line and "out of memory" in line for line in page.splitlines())
    assert "Several builds of one engine: log median = side + build" in page


def test_ways_of_one_backend_are_compared_and_named_and_the_plain_one_is_the_baseline(tmp_path: Path) -> None:
    graph = experiment("tensorrt", inference={"cuda_graph": True})
    told = experiment("tensorrt", options={"workspace_mb": 512})
    folder = written(tmp_path / "run", [*five(graph, 4.0), *five(told, 4.5), *five(TRT)])
    found = comparisons(rows(runs.load_one(folder)), None)
    said = headline(tmp_path / "no plain one", [*five(graph, 4.0), *five(TVM)])
    assert "times the time of TensorRT (CUDA graph; baseline, 2 threads), 95 % interval" in said
    assert [one.baseline.experiment for one in found] == [TRT, TRT]
    said = report.write(folder).headline
    assert said.startswith("TensorRT (CUDA graph) takes 0.800 times the time of TensorRT (baseline, 2 threads)")
    assert "TensorRT (workspace_mb 512) takes 0.900 times" in (folder / "report.md").read_text()


@pytest.mark.parametrize("other", [{"io_memory": "pinned"}, FAST], ids=lambda one: next(iter(one)))
def test_other_memory_and_another_mode_are_never_compared(tmp_path: Path, other: Dict[str, object]) -> None:
    tvm = experiment("tvm", inference=other)
    results = rates(tvm, 100) if other is FAST else five(tvm)
    assert headline(tmp_path / "run", [*five(ORT), *results]).startswith(
        "Nothing to compare: only ONNX Runtime and TVM"
    )


def test_threads_are_compared_within_one_way_of_one_backend(tmp_path: Path) -> None:
    graph = {"cuda_graph": True}
    some = [experiment("tensorrt", threads=count, inference=more) for count in (1, 2) for more in ({}, graph)]
    folder = written(tmp_path / "run", [one for each in some for one in five(each)])
    found = thread_comparisons(rows(runs.load_one(folder)))
    graphs = [{row.experiment.inference.cuda_graph for row in (one.row, one.baseline)} for one in found]
    assert [len(one) for one in graphs] == [1, 1]


def test_throughput_has_a_table_of_its_own_and_no_latency(tmp_path: Path) -> None:
    ort, tvm = experiment("onnxruntime", inference=FAST, batch=2), experiment("tvm", inference=FAST, batch=2)
    page = text(tmp_path / "run", [*rates(ort, 200), *rates(tvm, 100), *five(ORT)])
    parts = {each.split("\n", 1)[0]: each for each in page.split("\n## ")}
    lines = [line for line in parts["Throughput"].splitlines() if line.startswith("| yolov5n")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    # Rates of 200 (1 + n / 1000), n = 1 to 5: median 200.6; t(0.975, 4) of logs that are 0.000995 apart.
    assert cells[0] == [
        "yolov5n 320, fp32, batch 2, throughput",
        "ONNX Runtime",
        "2",
        "200.6",
        "200.2",
        "201.0",
        "200.2 to 201.0",
        "401.2",
        "500",
        "5/5",
        "",
    ]
    assert "batch 2" not in parts["Latency"]
    assert "batch 2" not in parts["Where the time goes"]
    assert "TVM untuned makes 0.500 times the inferences a second of ONNX Runtime (baseline, 2 threads)" in page
    ratio = next(line for line in parts["Comparison"].splitlines() if "TVM untuned" in line)
    assert [cell.strip() for cell in ratio.strip("|").split("|")][3] == "0.500"
    assert "lower rate" in ratio
    assert "two slots that take turns" in parts["Method"]


def test_a_run_of_throughput_alone_has_no_latency_and_says_so(tmp_path: Path) -> None:
    ort, tvm = experiment("onnxruntime", inference=FAST), experiment("tvm", inference=FAST)
    folder = written(tmp_path / "run", [*rates(ort, 200), *rates(tvm, 210)])
    said = report.write(folder).headline
    assert said.startswith(
        "TVM untuned makes 1.050 times the inferences a second of ONNX Runtime (baseline, 2 threads)"
    )
    assert "(5.0 % more), 95 % interval 1.05" in said
    page = (folder / "report.md").read_text()
    assert "No latency was measured." in page
    assert "latency.svg" not in page
    with (folder / "summary.csv").open() as file:
        lines = {one["backend"]: one for one in csv.DictReader(file)}
    assert lines["tvm"]["per_second_median"] == "210.63"
    assert (lines["tvm"]["median_ns"], lines["tvm"]["issue_mode"]) == ("", "throughput")
    assert "210.6 inferences a second" in (folder / "baseline.txt").read_text()


def test_two_runs_are_compared_by_their_rates_too(tmp_path: Path) -> None:
    ort = experiment("onnxruntime", inference=FAST)
    old, new = (runs.load_one(written(tmp_path / name, rates(ort, rate))) for name, rate in (("a", 200), ("b", 150)))
    found = comparing.compare(old, new)
    assert [pair.change and round(pair.change.value, 3) for pair in found.pairs] == [1.333]
    assert len(comparing.regressions(found, 0.02)) == 1
    line = comparing.table(found, 0.02).rows[0]
    assert (line[0], line[3], line[-1]) == ("yolov5n 320, fp32, throughput", "4.985", "slower")


def test_what_a_builder_told_stands_with_its_engine(tmp_path: Path) -> None:
    page = text(tmp_path / "run", [*five(TRT), *five(TVM)])
    part = page.split("## Engines")[1].split("\n## ")[0]
    header, _, trt, tvm = [line for line in part.splitlines() if line.startswith("|")]
    told = dict(zip((cell.strip() for cell in header.split("|")), (cell.strip() for cell in trt.split("|"))))
    assert (told["reformats"], told["device memory"], told["precision by"]) == ("3", "12.3 MB", "builder flags")
    assert "12.3" not in tvm
    assert "* TensorRT, yolov5n 320, fp32: workspace_mb: 1024, lowered from 2048" in part
    assert "reformats" not in text(tmp_path / "other", [*five(ORT), *five(TVM)]), "a column nobody fills is not there"


UNTRIED = "TensorRT execution has not yet been run on a Jetson by this project"


def test_what_was_never_tried_is_said_where_it_is_involved_and_nowhere_else(tmp_path: Path) -> None:
    assert UNTRIED in text(tmp_path / "trt", [*five(ORT), *five(TRT)])
    skipped = [ended(RTX, number, "skipped", "no device here can run this engine") for number in range(1, 6)]
    assert UNTRIED in text(tmp_path / "rtx", [*five(ORT), *skipped])
    folder = written(tmp_path / "plain", [*five(ORT), *five(TVM)])
    assert UNTRIED not in report.write(folder).path.read_text()
    path = folder / "local" / "machine.json"
    upgrades.write(path, msgspec.structs.replace(upgrades.read(path, Machine), l4t="36.4.3"))
    assert UNTRIED in report.write(folder).path.read_text()
