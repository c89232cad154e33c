"""`make history` from its command line: what is compared, what is not, what is flagged, and what bad input gets."""

import json
import re
from pathlib import Path
from typing import Any, Dict, List

import msgspec
import pytest

from harness.host.cli import main
from harness.host.selfbench import many_runs
from harness.records import LatencySamples, ThroughputSamples
from tests.example_run import ended, experiment, result
from tests.history.nights import NULL, ORT, TVM, measured, night, write


def history(results: Path, capsys: pytest.CaptureFixture, *words: str, code: int = 0) -> Dict[str, Any]:
    capsys.readouterr()
    assert main(["history", "--results", str(results), "--json", *words]) == code
    found: Dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def series(found: Dict[str, Any], backend: str = "tvm") -> List[Dict[str, Any]]:
    (one,) = [each["runs"] for each in found["series"] if each["backend"] == backend]
    return list(one)


def test_a_newest_run_that_is_slower_is_flagged_and_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for number in range(6):
        night(tmp_path, number, 1.05 if number == 5 else 1.0)
    found = history(tmp_path, capsys, code=1)
    assert found["slower"] == 2
    last = series(found)[-1]
    assert (last["verdict"], last["earlier_runs"]) == ("slower", 5)
    assert 1.02 < last["low"] < last["ratio"] < last["high"]
    assert last["ratio"] == pytest.approx(1.05, abs=0.01)
    assert history(tmp_path, capsys, "--threshold", "0.2")["slower"] == 0


def test_an_earlier_slow_run_stays_flagged_but_the_newest_decides(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for number in range(6):
        night(tmp_path, number, 1.05 if number == 4 else 1.0)
    found = history(tmp_path, capsys)
    verdicts = [one["verdict"] for one in series(found)]
    assert (verdicts[0], verdicts[4], verdicts[5]) == ("nothing before it", "slower", "no change shown")


def test_another_state_of_the_machine_is_a_border_that_nothing_is_compared_across(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for number in range(8):
        power = {"power_mode": "15W" if number >= 4 else "MAXN", "kernel": "6.6" if number >= 4 else "6.1"}
        night(tmp_path, number, 1.5 if number >= 4 else 1.0, machine=power)
    rows = series(history(tmp_path, capsys))
    assert rows[4]["conditions_changed"] == ["kernel 6.1 → 6.6", "power mode MAXN → 15W"]
    assert (rows[4]["verdict"], rows[4]["ratio"]) == ("nothing before it", None)
    assert [one["earlier_runs"] for one in rows] == [0, 1, 2, 3, 0, 1, 2, 3]
    page, picture = ((tmp_path / name).read_text() for name in ("history.md", "history.svg"))
    (line,) = [line for line in page.split("### TVM")[1].splitlines() if line.startswith("| == not compared")]
    assert "kernel 6.1 → 6.6; power mode MAXN → 15W" in line
    assert "[1] not compared across: kernel 6.1 → 6.6; power mode MAXN → 15W" in picture


def test_a_state_that_comes_back_is_compared_with_its_own_runs(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for number in range(8):
        slow = number % 2
        night(tmp_path, number, 1.5 if slow else 1.0, machine={"power_mode": "15W" if slow else "MAXN"})
    rows = series(history(tmp_path, capsys))
    assert [one["earlier_runs"] for one in rows] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert {one["verdict"] for one in rows[2:]} == {"no change shown"}
    assert all(one["conditions_changed"] for one in rows[1:])


@pytest.mark.parametrize(
    ("name", "value", "border"),
    [
        ("kernel", "6.6", True),
        ("governor", "powersave", True),
        ("l4t", "36.4", True),
        ("allowed_threads", 1, True),
        ("cuda_device", "Orin, driver 12.6", True),
        ("harness_revision", "beef", False),
        ("python", "3.12.1", False),
        ("boot_id", "1", False),
    ],
)
def test_which_facts_end_comparability_and_which_are_only_said(
    tmp_path: Path, capsys: pytest.CaptureFixture, name: str, value: Any, border: bool
) -> None:
    night(tmp_path, 0)
    night(tmp_path, 1, machine={name: value})
    row = series(history(tmp_path, capsys))[1]
    said = "rebooted" if name == "boot_id" else name.replace("_", " ")
    where = row["conditions_changed"] if border else row["changed"]
    assert [text for text in where if text.startswith(said)]
    assert (row["ratio"] is None) is border


def test_memory_that_moves_and_the_clock_step_are_nobodys_news(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    night(tmp_path, 0)
    night(tmp_path, 1, machine={"memory_bytes": 7_999_000_000, "timer_step_ns": 41})
    row = series(history(tmp_path, capsys))[1]
    assert (row["conditions_changed"], row["changed"]) == ([], [])


def test_another_budget_is_a_border_and_another_thread_count_another_line(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    night(tmp_path, 0)
    hasty = msgspec.structs.replace(TVM, inference=msgspec.structs.replace(TVM.inference, max_seconds=1.0))
    write(tmp_path, 1, measured(hasty, 1.0, 1), [hasty])
    single = experiment("tvm", threads=1)
    write(tmp_path, 2, measured(single, 1.0, 2), [single])
    found = history(tmp_path, capsys)
    lines = {one["threads"]: one["runs"] for one in found["series"] if one["backend"] == "tvm"}
    assert lines[2][1]["conditions_changed"] == ["max seconds 3.0 → 1.0"]
    assert [one["run"] for one in lines[1]] == ["night-02"]
    every = history(tmp_path, capsys, "--threads", "all", "--backends", "tvm")
    assert [one["threads"] for one in every["series"]] == [2]


def test_filters_choose_and_an_unknown_word_names_the_nearest(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    night(tmp_path, 0)
    found = history(tmp_path, capsys, "--model", "yolov5n@320", "--backends", "tvm", "--board", "local")
    assert [one["backend"] for one in found["series"]] == ["tvm"]
    for words, said in (
        (["--model", "yolov5n@32"], "MODEL: no run has 'yolov5n@32' (nearest: yolov5n@320)"),
        (["--backends", "tensort"], "BACKENDS: no run has 'tensort'"),
        (["--precisions", "fp16"], "PRECISIONS: no run has 'fp16' (nearest: fp32)"),
        (["--threads", "7"], "THREADS: no run has 7"),
        (["--board", "locl"], "BOARD: no run has 'locl' (nearest: local)"),
    ):
        assert main(["history", "--results", str(tmp_path), *words]) == 2
        assert said in capsys.readouterr().err.replace("\n", " ")


def test_words_that_never_met_are_told_so(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    night(tmp_path, 0)
    other = experiment("onnxruntime", threads=1)
    write(tmp_path, 1, measured(other, 1.0, 1), [other])
    assert main(["history", "--results", str(tmp_path), "--backends", "tvm", "--threads", "1"]) == 2
    assert "BACKENDS=tvm, THREADS=1: each of these was measured, but in no run together" in capsys.readouterr().err


def test_the_floor_is_shown_only_where_it_is_asked_for_and_is_nobodys_regression(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for number in range(5):
        rows = [*measured(NULL, 2.0 if number == 4 else 1.0, number), *measured(ORT, 1.0, number)]
        write(tmp_path, number, rows, [NULL, ORT])
    assert {one["backend"] for one in history(tmp_path, capsys)["series"]} == {"onnxruntime"}
    floor = history(tmp_path, capsys, "--backends", "null")
    assert (series(floor, "null")[-1]["verdict"], floor["slower"]) == ("slower", 0)


def test_no_run_one_run_and_two_rounds_have_plain_answers(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    words = ["history", "--results", str(tmp_path)]
    assert main(words) == 2
    assert "there is no run yet; `make bench` makes one" in capsys.readouterr().err
    assert not (tmp_path / ".history.duckdb").exists()
    night(tmp_path, 0)
    assert main(words) == 0
    assert (
        "nothing can be judged: no experiment has an earlier run under the same conditions" in capsys.readouterr().out
    )
    write(tmp_path, 1, measured(TVM, 3.0, 1, rounds=2), [TVM])
    row = series(history(tmp_path, capsys))[1]
    assert (row["verdict"], row["low"]) == ("no verdict: fewer than 3 rounds", None)
    assert row["ratio"] == pytest.approx(3, rel=0.02)


def test_an_engine_that_is_not_measured_any_more_leaves_a_row_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    night(tmp_path, 0)
    crashed = [ended(TVM, number, "crashed", "ended by signal 11") for number in range(1, 6)]
    write(tmp_path, 1, [*measured(ORT, 1.0, 1), *crashed])
    row = series(history(tmp_path, capsys))[1]
    assert (row["verdict"], row["notes"], row["time_ns"]) == ("not measured", "crashed: ended by signal 11", None)
    assert main(["history", "--results", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "the newest run did not measure it: crashed: ended by signal 11" in out
    assert "night-01 | 2026-01-06 03:00" in out


@pytest.mark.parametrize("told", ["tuned", "tuned, znver3, 64 trials", "tuned (fallback), znver3"])
def test_an_engine_is_called_by_what_came_of_its_variant_and_once(
    told: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    tuned = experiment("tvm", variant="tuned")
    write(tmp_path, 0, [result(tuned, number, variant=told) for number in range(1, 6)], [tuned])
    assert main(["history", "--results", str(tmp_path)]) == 0
    name = f"TVM {told.split(',', maxsplit=1)[0]}, yolov5n 320, fp32, 2 threads, board local"
    assert capsys.readouterr().out.startswith(f"{name}\n")


def test_throughput_is_a_line_of_its_own_in_rates_and_slower_means_fewer(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    both = msgspec.structs.replace(TVM, inference=msgspec.structs.replace(TVM.inference, issue_mode="throughput"))
    for number in range(4):
        rows = []
        for each in measured(both, 1.1 if number == 3 else 1.0, number):
            assert isinstance(each.samples, LatencySamples)
            ends = [sum(each.samples.compute_ns[: place + 1]) for place in range(len(each.samples.compute_ns))]
            samples = ThroughputSamples(slots=2, start_ns=[0, *ends[:-1]], end_ns=ends)
            rows.append(msgspec.structs.replace(each, samples=samples))
        write(tmp_path, number, [*rows, *measured(TVM, 1.0, number)], [both, TVM])
    found = history(tmp_path, capsys, code=1)
    modes = {one["issue_mode"]: one["runs"][-1]["verdict"] for one in found["series"]}
    assert modes == {"latency": "no change shown", "throughput": "slower"}
    page = (tmp_path / "history.md").read_text()
    section = page.split("throughput, board local")[-1]
    rates = re.findall(r"night-0\d \| [^|]*\| *([0-9.]+) \|", section)
    assert float(rates[-1]) == pytest.approx(1000 / 226 / 1.1, rel=0.02)


def test_deviations_are_footnotes_of_the_runs_that_have_them(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rows = [result(TVM, number, deviations=["40 of 100 iterations in a budget of 3 s"]) for number in range(1, 6)]
    write(tmp_path, 0, rows, [TVM])
    assert series(history(tmp_path, capsys))[0]["notes"] == "40 of 100 iterations in a budget of 3 s"
    assert "[1] 40 of 100 iterations in a budget of 3 s" in (tmp_path / "history.md").read_text()


def test_the_runs_that_selfbench_writes_are_whole_and_have_their_borders(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    results = many_runs.write_runs(tmp_path, many_runs.KERNEL_LASTS + 2)
    found = history(results, capsys, "--threshold", "1")
    assert found["damage"] == []
    rows = series(found)
    assert {one["rounds"] for one in rows} == {5}
    borders = [place for place, one in enumerate(rows) if one["conditions_changed"]]
    assert borders == [many_runs.KERNEL_LASTS]
    picture = (results / "history.svg").read_text()
    assert "bars:" not in picture, "so many runs have none"


def test_a_threshold_that_nothing_exceeds_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    night(tmp_path, 0)
    assert main(["history", "--results", str(tmp_path), "--threshold", "nan"]) == 2
    assert "THRESHOLD" in capsys.readouterr().err
