"""`compare`, `schema`, `clean-*` and the exports: known answers, exit codes, and what an independent validator says."""

import csv
import io
import json
import math
from pathlib import Path
from typing import List

import jsonschema
import msgspec
import numpy
import pytest
from scipy import stats

from harness import upgrades
from harness.host import compare, json_schema, report, runs
from harness.host.cli import main
from harness.host.stats.ratio import half_width, rounds_for
from harness.host.stats.welch import change
from harness.records import SCHEMA, Experiment, Result, SystemOptions
from tests import example_run
from tests.example_run import experiment, result

NULL, ORT, TVM = experiment("null"), experiment("onnxruntime"), experiment("tvm")
STORED = Path(__file__).parent / "records"


def test_welch_against_scipy() -> None:
    random = numpy.random.RandomState(3)
    new, old = random.lognormal(0.05, 0.02, 6), random.lognormal(0, 0.05, 9)
    found = change(new.tolist(), old.tolist())
    difference = math.log(found.value)
    assert difference == pytest.approx(numpy.log(new).mean() - numpy.log(old).mean())
    assert found.low is not None and found.high is not None
    for edge in (found.low, found.high):
        shifted = numpy.log(new) - math.log(edge)
        assert stats.ttest_ind(shifted, numpy.log(old), equal_var=False).pvalue == pytest.approx(0.05, abs=1e-9)


def test_fewer_than_three_rounds_judge_nothing() -> None:
    found = change([2.0, 2.0], [1.0, 1.0, 1.0])
    assert (found.value, found.low) == (pytest.approx(2), None)
    assert not found.slower_than(0)


@pytest.mark.parametrize(
    ("new", "threshold", "slower"), [(1.10, 0.02, True), (1.10, 0.2, False), (1.001, 0.0, False), (0.9, 0.0, False)]
)
def test_slower_takes_interval_and_threshold(new: float, threshold: float, slower: bool) -> None:
    old = [1.00, 1.01, 0.99, 1.00, 1.005]
    assert change([new * one for one in old], old).slower_than(threshold) is slower


def write(folder: Path, scale: float, results: List[Result] = ()) -> Path:  # type: ignore[assignment]
    rows = [result(one, number, base * scale) for one, base in ((ORT, 10.0), (TVM, 226.0)) for number in range(1, 6)]
    rows += [result(NULL, number) for number in range(1, 6)]
    return example_run.write(folder, [*rows, *results], [NULL, ORT, TVM])


def test_two_runs_are_compared_and_only_slower_is_exit_1(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write(tmp_path / "a", 1.0)
    write(tmp_path / "b", 1.2)
    words = ["compare", "--results", str(tmp_path)]
    assert main([*words, "--old", "a", "--new", "b"]) == 1
    out = capsys.readouterr().out
    assert "2 slower beyond interval and 2%" in out
    assert " 1.20 " in out
    assert main([*words, "--old", "b", "--new", "a"]) == 0
    assert "faster" in capsys.readouterr().out
    assert main([*words, "--old", "a", "--new", "b", "--threshold", "0.5"]) == 0
    assert main([*words, "--old", str(tmp_path / "a"), "--new", str(tmp_path / "a")]) == 0
    capsys.readouterr()
    assert main([*words, "--old", "a", "--new", "b", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["slower"] == 2


def test_what_is_only_in_one_run_is_shown_and_the_floor_is_nobodys_regression(tmp_path: Path) -> None:
    old = runs.load_one(write(tmp_path / "a", 1.0))
    rows = [result(NULL, number, 0.9) for number in range(1, 6)]
    new = runs.load_one(example_run.write(tmp_path / "b", rows, [NULL]))
    found = compare.compare(old, new)
    verdicts = [row[-1] for row in compare.table(found, 0.02).rows]
    assert verdicts.count("only in one run") == 2
    assert "slower" in verdicts
    assert compare.regressions(found, 0.02) == []


def test_runs_without_an_experiment_in_common_are_no_clean_bill(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write(tmp_path / "a", 1.0)
    hasty = msgspec.structs.replace(ORT, inference=msgspec.structs.replace(ORT.inference, max_seconds=5.0))
    rows = [result(hasty, number, 20.0) for number in range(1, 6)]
    example_run.write(tmp_path / "b", rows, [hasty])
    assert main(["compare", "--results", str(tmp_path), "--old", "a", "--new", "b"]) == 2
    said = capsys.readouterr().err
    assert "no experiment in common (max_seconds: " in said
    assert "then, 5.0 now)" in said


def test_a_threshold_that_nothing_exceeds_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write(tmp_path / "a", 1.0)
    write(tmp_path / "b", 1.2)
    words = ["compare", "--results", str(tmp_path), "--old", "a", "--new", "b", "--threshold", "nan"]
    assert main(words) == 2
    assert "THRESHOLD" in capsys.readouterr().err


def test_rows_meet_across_boards_and_containers(tmp_path: Path) -> None:
    old, new = runs.load_one(write(tmp_path / "a", 1.0)), runs.load_one(write(tmp_path / "b", 1.2))
    elsewhere = SystemOptions(board="xavier-lab", container="5.1.2")

    def moved(one: Experiment) -> Experiment:
        return msgspec.structs.replace(one, system=elsewhere)

    new = msgspec.structs.replace(
        new,
        on=msgspec.structs.replace(new.on, experiments=[moved(one) for one in new.on.experiments]),
        results=[msgspec.structs.replace(one, experiment=moved(one.experiment)) for one in new.results],
        machine=msgspec.structs.replace(new.machine, board="xavier-lab"),
    )
    found = compare.compare(old, new)
    assert [pair.change is not None for pair in found.pairs] == [True] * 3
    assert "board: local then, xavier-lab now" in found.notes[0]


def test_another_machine_is_noted(tmp_path: Path) -> None:
    old, new = runs.load_one(write(tmp_path / "a", 1.0)), runs.load_one(write(tmp_path / "b", 1.0))
    assert compare.compare(old, new).notes == []
    moved = type(new)(
        run=new.run,
        on=new.on,
        machine=type(new.machine)(**{**_fields(new.machine), "cpu_model": "Another"}),
        results=new.results,
        engines=new.engines,
    )
    assert "cpu_model: A Processor then, Another now" in compare.compare(old, moved).notes[0]


def _fields(record: object) -> dict:
    return {name: getattr(record, name) for name in record.__struct_fields__}  # type: ignore[attr-defined]


def test_compare_without_a_run_says_how(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["compare", "--results", str(tmp_path)]) == 2
    assert "OLD is not set" in capsys.readouterr().err


def test_an_independent_validator_agrees_with_the_schema(tmp_path: Path) -> None:
    schema = json_schema.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    stored = [json.loads(path.read_text()) for path in STORED.glob(f"*-{SCHEMA}.json")]
    folder = write(tmp_path / "a", 1.0)
    stored += [json.loads(path.read_text()) for path in folder.rglob("*.json")]
    assert len(stored) > 15
    for one in stored:
        validator.validate(one)
    wrong = [
        {**stored[0], "schema": SCHEMA + 1},
        {**stored[0], "mean_ms": 1.0},
        {key: value for key, value in stored[0].items() if key != "content_sha256"},
        {**stored[0], "kind": "other"},
    ]
    for one in wrong:
        assert not validator.is_valid(one)


def test_schema_is_printed_as_json(capsys: pytest.CaptureFixture) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json_schema.schema()


def test_summary_csv_has_a_line_for_every_experiment(tmp_path: Path) -> None:
    crashed = example_run.ended(TVM, 5, "crashed", "ended, by a signal")
    folder = write(tmp_path / "a", 1.0, [crashed])
    report.write(folder)
    lines = {line["backend"]: line for line in csv.DictReader(io.StringIO((folder / "summary.csv").read_text()))}
    assert set(lines) == {"null", "onnxruntime", "tvm"}
    assert float(lines["onnxruntime"]["mean_ns"]) == pytest.approx(10.3e6)
    assert float(lines["onnxruntime"]["fps"]) == pytest.approx(97.09, abs=0.01)
    assert (lines["tvm"]["status"], lines["tvm"]["rounds_ok"]) == ("crashed/ok", "4")
    assert lines["tvm"]["notes"] == "ended, by a signal"
    assert lines["onnxruntime"]["relative_rms"] == "3e-07"


def test_baseline_txt_fits_a_terminal(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", 1.0)
    headline = report.write(folder).headline
    lines = (folder / "baseline.txt").read_text().splitlines()
    assert max(len(line) for line in lines[:-1] if line != headline) <= 124
    assert any(line.split()[:4] == ["yolov5n", "320,", "fp32", "ONNX"] for line in lines)
    assert headline in lines


def test_rounds_needed_are_the_fewest_that_do() -> None:
    seen = [1.0, 1.02, 0.98, 1.01, 0.99]
    wanted = rounds_for(seen, 0.02)
    assert wanted is not None
    spread = float(numpy.std(numpy.log(seen), ddof=1))
    for rounds, enough in ((wanted, True), (wanted - 1, False)):
        half = float(stats.t.ppf(0.975, rounds - 1)) * spread / math.sqrt(rounds)
        assert (half <= math.log(1.02)) is enough
    assert half_width(numpy.log(seen)) is not None
    assert rounds_for([1.0, 1.1], 0.02) is None


def test_cleaning_asks_first_and_spares_the_example(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write(tmp_path / "a", 1.0)
    write(tmp_path / "example", 1.0)
    (tmp_path / "engines" / "k").mkdir(parents=True)
    words = ["--results", str(tmp_path)]
    assert main(["clean-results", *words]) == 2, "nobody is there to ask"
    assert "YES=1" in capsys.readouterr().err
    assert (tmp_path / "a").exists()
    assert main(["clean-results", *words, "--yes"]) == 0
    assert not (tmp_path / "a").exists()
    assert (tmp_path / "example").exists()
    assert (tmp_path / "engines" / "k").exists()
    assert main(["clean-engines", *words, "--yes"]) == 0
    assert not (tmp_path / "engines" / "k").exists()
    assert main(["clean-engines", *words, "--yes"]) == 0


def test_a_record_edited_between_runs_is_left_out_with_a_note(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", 1.0)
    path = next(folder.glob("local/*/1/result.json"))
    path.write_bytes(path.read_bytes().replace(b'"elapsed_s": 3', b'"elapsed_s": 4'))
    data = runs.load_one(folder)
    assert len(data.broken) == 1
    assert "NEW: " in compare.compare(runs.load_one(write(tmp_path / "b", 1.0)), data).notes[0]
    assert upgrades.encode(data.results[0])
