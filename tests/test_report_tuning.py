"""What a report says of tuning: rows side by side, the section, its plot, and a fallback under its own name."""

from pathlib import Path

import msgspec
import pytest

from harness import upgrades
from harness.host import compare, report, runs
from harness.host.history import measured
from harness.host.history.series import Series
from harness.host.report import tuning, tuning_plot
from harness.host.report.collect import rows
from harness.host.report.compare import comparisons
from harness.host.report.headline import sentences
from harness.records import Engine
from harness.records.proof import Proofs
from tests.example_run import key, result, write
from tests.tuned_run import BASELINE, SHOWN, TUNED, TUNING, UNTUNED, account, example, part


def text_of(folder: Path) -> str:
    return report.write(folder).path.read_text()


def test_untuned_tuned_and_baseline_stand_side_by_side(tmp_path: Path) -> None:
    data = runs.load_one(example(tmp_path / "run"))
    found = rows(data)
    said = sentences(comparisons(found, None), found)
    assert said[0].startswith("TVM untuned takes 22.6 times the time of ONNX Runtime (baseline, 2 threads)")
    assert said[1].startswith("TVM tuned takes 2.00 times the time of ONNX Runtime (baseline, 2 threads)")
    text = text_of(tmp_path / "run")
    assert "TVM tuned, x86-64-v3, nhwc, 512 trials in 10 min, seed 1, records 3fa9" in text


def test_the_section_says_where_records_came_from_and_what_each_task_got(tmp_path: Path) -> None:
    text = text_of(example(tmp_path / "run"))
    section = text[text.index("## Tuning") : text.index("## Skipped")]
    for said in (
        "### TVM tuned, yolov5n 320, fp32",
        "were shipped with the harness, models/tuning/tiny-fp32-x86-64-v3.jsonl: of target x86-64-v3",
        "512 trials in 10:00 min of 1 job, 51 a minute.",
        "Search: evolutionary, with the cost model xgb and seed 1.",
        "Measuring took 5 % of that time. Candidates beside the trials: 1 invalid, 0 timed out, 0 crashed.",
        "with 2 threads: tuned takes 0.200 times the time, 95 % interval 0.190 to 0.210.",
        "| conv   |        70.0 % |     2 |    300 |       9000 |     1000 |  9.00 | kept ",
        "not faster than the default schedule",
        "(tuning.svg)",
    ):
        assert said in section
    plot = (tmp_path / "run" / "tuning.svg").read_bytes()
    assert plot.startswith(b"<?xml")
    assert b"trials" in plot
    assert b"minutes" in plot


def test_a_run_without_tuned_engines_has_no_such_section(tmp_path: Path) -> None:
    write(tmp_path / "run", [result(UNTUNED, 1), result(BASELINE, 1)], [UNTUNED, BASELINE])
    assert "## Tuning" not in text_of(tmp_path / "run")
    assert not (tmp_path / "run" / "tuning.svg").exists()


def test_a_fallback_is_named_in_rows_headline_and_section(tmp_path: Path) -> None:
    slower = msgspec.structs.replace(SHOWN, ratio=1.2, low=1.1, high=1.3)
    proofs = Proofs(engine=key(TUNED), untuned=key(UNTUNED), proofs=[slower])
    folder = example(tmp_path / "run", "tuned (fallback), znver3, 512 trials in 10 min", proofs=proofs)
    text = text_of(folder)
    assert "TVM tuned (fallback) takes" in text
    assert "95 % interval 1.100 to 1.30. Tuned was shown to be slower." in text
    assert "So the untuned schedules are what was delivered and measured here, under this name." in text


def test_what_was_not_proved_or_was_damaged_or_killed_is_said(tmp_path: Path) -> None:
    folder = example(
        tmp_path / "run",
        proofs=msgspec.UNSET,
        ends=[],
        dropped=["line 4 is damaged (its checksum differs) and is left out"],
    )
    text = text_of(folder)
    assert "This engine has not been held against its untuned one." in text
    assert "1 of the jobs was ended from outside; its trials count." in text
    assert "Of the records, line 4 is damaged (its checksum differs) and is left out." in text


def test_many_tasks_stand_in_one_line_beyond_the_heaviest() -> None:
    parts = [part(f"conv{number}", share=1 / 30) for number in range(30)]
    table = tuning.tasks(account(parts=parts))
    assert len(table.rows) == tuning.MOST_TASKS + 1
    assert table.rows[-1] == ["10 others", "33.3 %", "", "3000", "", "", "", "10 kept"]


def test_a_plot_without_a_curve_says_so() -> None:
    assert b"no course" in tuning_plot.effort([])


def test_what_to_do_next_names_the_command_until_there_is_a_tuned_row(tmp_path: Path) -> None:
    write(tmp_path / "plain", [result(one, 1) for one in (UNTUNED, BASELINE)], [UNTUNED, BASELINE])
    assert "`make tune MODEL=yolov5n@320 BACKENDS=tvm`, and then `make bench VARIANTS=untuned,tuned`" in text_of(
        tmp_path / "plain"
    )
    assert "make tune MODEL" not in text_of(example(tmp_path / "run"))


@pytest.mark.parametrize("damage", [b"", b"{}"])
def test_an_account_that_cannot_be_read_is_named_and_the_report_goes_on(tmp_path: Path, damage: bytes) -> None:
    folder = example(tmp_path / "run")
    path = runs.tuning_path(folder, "local", key(TUNED))
    path.write_bytes(damage)
    text = text_of(folder)
    assert f"{key(TUNED)}-tuning.json" in text
    assert "TVM tuned" in text


def retuned(folder: Path, records: str) -> Path:
    """The same run with an engine whose ingredients name these records."""
    example(folder)
    path = runs.engine_path(folder, "local", key(TUNED))
    engine = upgrades.read(path, Engine)
    tuned = msgspec.structs.replace(TUNING, records_sha256=records * 16)
    made_of = msgspec.structs.replace(engine.ingredients, tuning=tuned)
    upgrades.write(path, msgspec.structs.replace(engine, ingredients=made_of))
    return folder


def test_two_runs_meet_variant_by_variant_and_other_records_are_said(tmp_path: Path) -> None:
    old, same, other = (
        runs.load_one(retuned(tmp_path / name, records))
        for name, records in (("old", "3fa9"), ("same", "3fa9"), ("other", "0b1c"))
    )
    found = compare.compare(old, same)
    assert [(pair.old.experiment, pair.new.experiment) for pair in found.pairs if pair.old and pair.new] == [
        (one, one) for one in (BASELINE, UNTUNED, TUNED)
    ]
    assert found.notes == []
    assert compare.compare(old, other).notes == [
        "TVM tuned, yolov5n 320, fp32: its schedules come from other tuning records now: what is compared is not one "
        "engine"
    ]


def test_a_history_follows_tuned_apart_from_untuned(tmp_path: Path) -> None:
    found = measured.measured("run", runs.load_one(example(tmp_path / "run")))
    assert len({one.options for one in found if one.backend == "tvm"}) == 2
    series = [Series(**{name: getattr(one, name) for name in Series._fields}) for one in found]
    assert [one.engine("") for one in series] == ["ONNX Runtime", "TVM", "TVM tuned"], "of what was asked"
    assert [one.engine("tuned (fallback)") for one in series[2:]] == ["TVM tuned (fallback)"], "of what came of it"
