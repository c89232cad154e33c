"""Every engine against every other in a report, corrected for the number of pairs, and builds apart from rounds."""

import re
from pathlib import Path
from typing import Any, Dict, List, Sequence

import pytest

from harness.host import report, runs
from harness.host.report import builds, matrix, table
from harness.host.report.collect import Row, rows
from harness.host.stats.builds import ratio_of_builds
from harness.records import Experiment, Result
from tests import example_run
from tests.example_run import ended, experiment, rated, result
from tests.test_report_sensors import lines, part

ORT, TVM, TRT, RTX = (experiment(name) for name in ("onnxruntime", "tvm", "tensorrt", "tensorrt_rtx"))
NULL = experiment("null")


def scattered(one: Experiment, middle_ms: float, by: Sequence[float]) -> List[Result]:
    """A round for each entry, whose median lies that share above `middle_ms`."""
    return [result(one, number, middle_ms * (1 + each) / (1 + number / 100)) for number, each in enumerate(by, 1)]


CALM = (0.001, -0.001, 0.002, -0.002, 0.0)
APART = (0.004, -0.002, 0.001, 0.002, -0.004)
"""Against CALM, a difference of a hundredth is 0.004 likely, and of 6 pairs no more."""


def written(folder: Path, results: List[Result], **plan: Any) -> Path:
    return example_run.write(folder, results, list(dict.fromkeys(one.experiment for one in results)), **plan)


def found(folder: Path, results: List[Result]) -> List[matrix.Matrix]:
    return matrix.matrices(rows(runs.load_one(written(folder, results))), table.Footnotes())


def pairs(one: matrix.Matrix) -> Dict[str, Dict[str, str]]:
    headers = [header.rstrip(":") for header in one.pairs.headers]
    return {f"{line[0]} / {line[1]}": dict(zip(headers, line)) for line in one.pairs.rows}


def test_two_engines_are_one_pair_and_need_no_matrix(tmp_path: Path) -> None:
    assert found(tmp_path / "run", [*scattered(ORT, 10, CALM), *scattered(TVM, 20, CALM)]) == []
    text = report.write(tmp_path / "run").path.read_text()
    assert "Every engine against every other" not in text


def test_three_engines_are_held_against_each_other_once_each(tmp_path: Path) -> None:
    results = [*scattered(NULL, 0.001, CALM), *scattered(ORT, 10, CALM), *scattered(TVM, 20, APART)]
    [one] = found(tmp_path / "run", [*results, *scattered(TRT, 5, APART)])
    told = pairs(one)
    assert list(told) == [
        "TVM untuned, znver3 / ONNX Runtime",
        "TensorRT / ONNX Runtime",
        "TensorRT / TVM untuned, znver3",
    ]
    assert one.tested == 3
    assert told["TensorRT / TVM untuned, znver3"]["time ratio"] == "0.250"
    assert told["TensorRT / TVM untuned, znver3"]["verdict"] == "less time"
    low, high = told["TVM untuned, znver3 / ONNX Runtime"]["95 % interval"].split(" to ")
    assert float(low) < 2.0 < float(high)
    assert re.fullmatch(r"0\.\d+ %", told["TVM untuned, znver3 / ONNX Runtime"]["could show"])
    text = report.write(tmp_path / "run").path.read_text()
    section = part(text, "Every engine against every other")
    assert "yolov5n 320, fp32, 2 threads, 3 pairs tested; time of the row over time of the column:" in section
    assert "Holm's step-down procedure" in part(text, "Method")


def test_the_square_holds_each_pair_both_ways_and_bold_where_it_is_sure(tmp_path: Path) -> None:
    alike = scattered(TRT, 10, (0.03, -0.02, 0.01, -0.03, 0.01))
    [one] = found(tmp_path / "run", [*scattered(ORT, 10, CALM), *scattered(TVM, 20, CALM), *alike])
    cells = [list(line[1:]) for line in one.square.rows]
    assert cells[1][0] == "**2.00**"
    assert cells[0][1] == "**0.500**"
    assert [cells[index][index] for index in range(3)] == ["-", "-", "-"]
    assert cells[2][0] == "1.000", "not distinguishable, so it is not bold"


def test_what_one_pair_alone_would_show_may_not_survive_many(tmp_path: Path) -> None:
    """A p of 3 % of one pair is no verdict of six: the interval of the pair leaves out 1 all the same."""
    slightly = scattered(TVM, 10.045, (0.004, -0.002, 0.001, 0.002, -0.004))
    others = [*scattered(TRT, 10, (0.03, -0.02, 0.01, -0.03, 0.01)), *scattered(RTX, 10, (-0.02, 0.03, 0.02, -0.02, 0))]
    [one] = found(tmp_path / "run", [*scattered(ORT, 10, CALM), *slightly, *others])
    pair = pairs(one)["TVM untuned, znver3 / ONNX Runtime"]
    low = float(pair["95 % interval"].split(" to ")[0])
    assert low > 1, "alone it is more time"
    assert 0.05 < float(pair["p, corrected"]) < 0.4
    assert pair["verdict"] == "not distinguishable"


def test_a_crashed_cell_drops_its_round_and_a_pair_without_a_common_one_says_so(tmp_path: Path) -> None:
    tvm = scattered(TVM, 20, CALM)
    tvm[3] = ended(TVM, 4, "crashed", "ended by signal 9 (SIGKILL)")
    only_first = [*scattered(TRT, 5, CALM)[:1], *(ended(TRT, n, "crashed", "out of memory") for n in range(2, 6))]
    only_second = [
        ended(RTX, 1, "crashed", "out of memory"),
        scattered(RTX, 5, CALM)[1],
        *(ended(RTX, n, "crashed", "out of memory") for n in range(3, 6)),
    ]
    results = [*scattered(ORT, 10, CALM), *tvm, *only_first, *only_second]
    [one] = found(tmp_path / "run", results)
    told = pairs(one)
    assert told["TVM untuned, znver3 / ONNX Runtime"]["rounds"] == "4"
    assert told["TensorRT-RTX / TensorRT"] == {
        "engine": "TensorRT-RTX",
        "against": "TensorRT",
        "time ratio": "none",
        "95 % interval": "none",
        "rounds": "0",
        "could show": "none",
        "p, corrected": "none",
        "verdict": "no verdict",
        "notes": told["TensorRT-RTX / TensorRT"]["notes"],
    }
    assert one.tested == 1, "pairs of one common round are not tested"
    text = report.write(tmp_path / "run").path.read_text()
    assert "1 round dropped: only one of the two cells ended ok" in text
    assert "no round in which both ended ok: this pair is dropped" in text


def test_an_engine_that_never_ended_ok_is_named_as_left_out(tmp_path: Path) -> None:
    rtx = [ended(RTX, number, "crashed", "out of memory") for number in range(1, 6)]
    results = [*scattered(ORT, 10, CALM), *scattered(TVM, 20, CALM), *scattered(TRT, 5, CALM), *rtx]
    [one] = found(tmp_path / "run", results)
    assert one.left_out == ["TensorRT-RTX is not in it: crashed in every round (out of memory)"]
    section = part(report.write(tmp_path / "run").path.read_text(), "Every engine against every other")
    assert "* TensorRT-RTX is not in it: crashed in every round (out of memory)." in section


@pytest.mark.parametrize(
    "other", [{"threads": 1}, {"precision": "fp16"}, {"batch": 2}], ids=lambda one: next(iter(one))
)
def test_another_setting_is_another_matrix(tmp_path: Path, other: Dict[str, Any]) -> None:
    three = [ORT, TVM, experiment("tensorrt", **other)]
    assert found(tmp_path / "run", [each for one in three for each in scattered(one, 10, CALM)]) == []


def test_rates_are_held_against_rates_and_more_is_higher(tmp_path: Path) -> None:
    fast = {"issue_mode": "throughput"}
    per_second = {"onnxruntime": 100, "tvm": 50, "tensorrt": 200}
    results = [
        rated(experiment(name, inference=fast), number, each * (1 + CALM[number - 1]))
        for name, each in per_second.items()
        for number in range(1, 6)
    ]
    [one] = found(tmp_path / "run", results)
    pair = pairs(one)["TensorRT / TVM untuned, znver3"]
    assert (pair["rate ratio"], pair["verdict"]) == ("4.00", "higher rate")
    assert one.square.rows[2][2] == "**4.00**"


# --- several builds


def built(backend: str, medians_ms: Sequence[float]) -> List[Result]:
    numbered = [experiment(backend, build_number=number) for number in range(1, len(medians_ms) + 1)]
    return [each for one, middle in zip(numbered, medians_ms) for each in scattered(one, middle, CALM)]


def test_builds_of_one_engine_are_one_side_and_their_spread_decides(tmp_path: Path) -> None:
    """By rounds alone 5 % would be certain; TensorRT's builds lie 10 % apart."""
    apart = [*built("tensorrt", [9.0, 10.0, 11.0]), *built("tvm", [10.5, 10.5, 10.5]), *scattered(ORT, 30, CALM)]
    [one] = found(tmp_path / "apart", apart)
    pair = pairs(one)[_key(one)]
    assert pair["verdict"] == "not distinguishable"
    assert float(pair["p, corrected"]) > 0.05
    alike = [*built("tensorrt", [10.0, 10.0, 10.0]), *built("tvm", [10.5, 10.5, 10.5]), *scattered(ORT, 30, CALM)]
    [one] = found(tmp_path / "alike", alike)
    assert pairs(one)[_key(one)]["verdict"] == "more time"


def _key(one: matrix.Matrix) -> str:
    [key] = [name for name in pairs(one) if name.startswith("TVM") and "TensorRT" in name]
    return key


def test_the_p_of_builds_says_what_their_interval_says() -> None:
    """At the level at which its interval just reaches 1."""
    ours = [{1: 1.03, 2: 1.05, 3: 1.02, 4: 1.04}, {1: 1.06, 2: 1.07, 3: 1.05, 4: 1.07}]
    theirs = [{1: 1.00, 2: 1.01, 3: 0.99, 4: 1.0}, {1: 1.01, 2: 1.02, 3: 1.01, 4: 1.02}]
    value = ratio_of_builds(ours, theirs)
    assert value is not None and value.p is not None and 0 < value.p < 1
    touching = ratio_of_builds(ours, theirs, confidence=1 - value.p)
    assert touching is not None and touching.low == pytest.approx(1.0, abs=1e-9)


def spread_of_builds(page: str) -> Dict[str, str]:
    return next(iter(lines(page, "How much builds differ").values()))


def test_what_builds_and_rounds_and_processes_do_is_told_apart(tmp_path: Path) -> None:
    """Builds that lie 4 % apart from one another, over rounds that all of them share."""
    text = report.write(written(tmp_path / "run", [*built("tensorrt", [9.6, 10.0, 10.4]), *scattered(ORT, 30, CALM)]))
    page = text.path.read_text()
    line = spread_of_builds(page)
    assert (line["engine"], line["rounds"], line["p"]) == ("TensorRT (3 builds)", "5", "< 0.001")
    assert line["builds differ by"] == "4 %"
    assert line["share of builds"] == "100 %"
    assert float(line["rounds by"].rstrip(" %")) < 0.3
    assert "Builds apart from rounds" in part(page, "Method")


def test_builds_that_are_alike_are_said_to_be_and_one_build_has_no_table(tmp_path: Path) -> None:
    noisy = [
        result(experiment("tensorrt", build_number=build), number, 10 * (1 + noise) / (1 + number / 100))
        for build, noises in ((1, CALM), (2, APART), (3, (-0.003, 0.002, -0.001, 0.001, 0.003)))
        for number, noise in enumerate(noises, 1)
    ]
    line = spread_of_builds(report.write(written(tmp_path / "run", noisy)).path.read_text())
    assert float(line["p"]) > 0.05
    assert line["builds differ by"] == "0 %"
    one = written(tmp_path / "one", [*scattered(TRT, 10, CALM), *scattered(ORT, 30, CALM)])
    assert "How much builds differ" not in report.write(one).path.read_text()


def test_a_round_that_one_build_lacks_is_dropped_and_named(tmp_path: Path) -> None:
    some = built("tensorrt", [9.6, 10.0, 10.4])
    some[7] = ended(some[7].experiment, some[7].round, "crashed", "ended by signal 9")
    notes = table.Footnotes()
    found_rows: List[Row] = rows(runs.load_one(written(tmp_path / "run", some)))
    [line] = builds.table(found_rows, notes).rows
    assert line[3] == "4"
    assert notes.lines() == ["[1] 1 round dropped: not every build's cell ended ok"]
