"""Tuning as the host sees it: variants of plans, which records an engine is built with, and every wrong question."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List, Optional

import msgspec
import pytest

from harness import schedules, trials
from harness.errors import PlanError, RecordError
from harness.host import matrix
from harness.host import plan as plans
from harness.host.cli import main
from harness.host.plan import Overrides
from harness.host.tuning import account, effort, logs, story
from harness.host.tuning.job import measures
from harness.jobs import Failure
from harness.records import BackendFacts, BuildOptions, Experiment, InferenceOptions
from harness.records.tuning import Line, Point, Task, Trial
from harness.trials import LOG
from tests.trial_lines import HEADER, choice, end, job, log, task, trial

FACTS = BackendFacts(
    available=True, version=HEADER.version, architecture="x86_64 znver4", targets=["x86_64 znver4", "x86-64-v3"]
)
OPTIONS = BuildOptions(model="tiny", backend="tvm", variant="tuned")
LINES: List[Line] = [
    job(),
    task("t1"),
    trial("t1", "x", 5.0, seconds=2.0),
    trial("t1", "y", 4.0, seconds=3.0),
    choice("t1", "y", 9.0, 4.0),
    end("a1", 2, 60.0),
]
PLAN = """
title = "t"
[[experiments]]
models = ["yolov5n@320"]
backends = ["onnxruntime", "tvm"]
variants = ["untuned", "tuned"]
threads = [1]
"""


def found(tmp_path: Path, options: BuildOptions = OPTIONS, facts: BackendFacts = FACTS) -> object:
    return logs.find(options, HEADER.model_sha256, facts, tmp_path / "results", tmp_path / "models")


def made(tmp_path: Path, target: str, *lines: Line, shipped: bool = False) -> Path:
    header = msgspec.structs.replace(HEADER, target=target)
    if shipped:
        path = tmp_path / "models" / "tuning" / logs.shipped_name(header)
        path.parent.mkdir(parents=True, exist_ok=True)
        trials.write_whole(path, header, lines)
        return path
    return log(logs.folder(tmp_path / "results", header), *lines, header=header)


def experiments(tmp_path: Path, text: str = PLAN, **overrides: object) -> List[Experiment]:
    (tmp_path / "my.toml").write_text(text)
    return matrix.experiments(plans.load(str(tmp_path / "my.toml"), Overrides(**overrides)), 2)  # type: ignore[arg-type]


def test_tuned_is_an_experiment_of_its_own_for_what_can_be_tuned(tmp_path: Path) -> None:
    of = [(one.build.backend, one.build.variant) for one in experiments(tmp_path)]
    assert [(name, variant) for name, variant in of if variant == "tuned"] == [("tvm", "tuned")]
    assert [name for name, variant in of if variant is msgspec.UNSET] == ["null", "onnxruntime", "tvm"]
    slugs = [one.slug() for one in experiments(tmp_path)]
    assert len(set(slugs)) == 4
    assert any(slug.startswith("yolov5n@320-tvm-tuned-fp32-b1-t1-") for slug in slugs)


def test_what_is_not_asked_for_leaves_older_hashes_as_they_are() -> None:
    plain = Experiment(build=BuildOptions(model="m", backend="tvm"), inference=InferenceOptions(threads=1))
    assert b"variant" not in msgspec.json.encode(plain)
    assert plain.slug() == "m-tvm-fp32-b1-t1-9b2c09"


def test_a_target_reaches_only_what_compiles_for_one(tmp_path: Path) -> None:
    for one in experiments(tmp_path, target="x86-64-v3"):
        assert one.build.target == ("x86-64-v3" if one.build.backend == "tvm" else None)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"variants": ["tunde"]}, "VARIANTS: unknown variant 'tunde'"),
        ({"variants": []}, "VARIANTS: variants is empty"),
        ({"variants": ["tuned"], "backends": ["onnxruntime"]}, "'tuned' is of tvm, which this plan does not measure"),
        ({"target": " "}, "TARGET: target is empty"),
    ],
)
def test_what_is_wrong_with_variants_is_said(tmp_path: Path, overrides: Dict[str, object], message: str) -> None:
    with pytest.raises(PlanError) as caught:
        experiments(tmp_path, **overrides)
    assert message in str(caught.value)


def test_records_made_here_go_before_shipped_ones_and_the_own_target_before_a_general_one(tmp_path: Path) -> None:
    shipped = made(tmp_path, "x86-64-v3", *LINES, shipped=True)
    first = found(tmp_path)
    assert isinstance(first, logs.Found)
    assert (first.path, first.target) == (shipped, "x86-64-v3")
    assert first.origin == "shipped with the harness, models/tuning/tiny-fp32-x86-64-v3.jsonl"
    general = made(tmp_path, "x86-64-v3", *LINES)
    second = found(tmp_path)
    assert isinstance(second, logs.Found)
    assert (second.path, second.target) == (general, "x86-64-v3")
    own = made(tmp_path, "x86_64 znver4", *LINES)
    third = found(tmp_path)
    assert isinstance(third, logs.Found)
    assert (third.path, third.target) == (own, None)


def test_records_that_change_something_go_before_those_that_do_not(tmp_path: Path) -> None:
    made(tmp_path, "x86_64 znver4", job(), task("t1"), choice("t1", "x", 9.0, 8.9, kept=False), trial("t1", "x", 9.0))
    shipped = made(tmp_path, "x86-64-v3", *LINES, shipped=True)
    one = found(tmp_path)
    assert isinstance(one, logs.Found)
    assert one.path == shipped
    shipped.unlink()
    assert isinstance(found(tmp_path), logs.Found), "records without a gain are records"


def test_a_named_target_takes_no_other_records(tmp_path: Path) -> None:
    made(tmp_path, "x86_64 znver4", *LINES)
    named = msgspec.structs.replace(OPTIONS, target="x86-64-v3")
    assert isinstance(found(tmp_path, named), Failure)
    made(tmp_path, "x86-64-v3", *LINES, shipped=True)
    one = found(tmp_path, named)
    assert isinstance(one, logs.Found)
    assert one.target is None, "the experiment says it itself"


def test_a_processor_without_the_level_does_not_take_records_of_it(tmp_path: Path) -> None:
    made(tmp_path, "x86-64-v3", *LINES, shipped=True)
    older = msgspec.structs.replace(FACTS, targets=["x86_64 westmere", "x86-64-v2"])
    assert isinstance(found(tmp_path, facts=older), Failure)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": "0.25.0"}, "the version of TVM is 0.25.0 there and 0.25.0 (ffi 0.1) here"),
        ({"target": "znver9"}, "target is znver9 there and x86_64 znver4 here"),
        ({"model_sha256": "cd" * 32}, "the model's bytes is cdcdcdcdcdcd there and abababababab here"),
    ],
)
def test_records_of_something_near_are_not_used_and_named(tmp_path: Path, change: Dict[str, str], words: str) -> None:
    header = msgspec.structs.replace(HEADER, target="x86_64 znver4")
    other = msgspec.structs.replace(header, **change)
    path = log(logs.folder(tmp_path / "results", other), *LINES, header=other)
    before = path.read_bytes()
    one = found(tmp_path)
    assert isinstance(one, Failure)
    assert one.status == "skipped"
    assert words in one.reason
    assert one.reason.endswith("make tune MODEL=tiny BACKENDS=tvm makes them")
    assert path.read_bytes() == before


def test_records_moved_to_the_place_of_others_are_refused(tmp_path: Path) -> None:
    path = made(tmp_path, "znver9", *LINES)
    place = logs.folder(tmp_path / "results", msgspec.structs.replace(HEADER, target="x86_64 znver4"))
    place.mkdir(parents=True)
    path.rename(place / LOG)
    one = found(tmp_path)
    assert isinstance(one, Failure)
    assert one.status == "failed"
    assert "target is znver9 there and x86_64 znver4 here" in one.reason


def test_what_goes_to_a_board_is_small_and_leads_to_the_same_engine(tmp_path: Path) -> None:
    made(tmp_path, "x86_64 znver4", *LINES)
    one = found(tmp_path)
    assert isinstance(one, logs.Found)
    small = trials.read(logs.chosen_file(one, tmp_path / "results"))
    assert [line.trace for line in small.of(Trial)] == ["y"]
    assert [line.workload for line in small.of(Task)] == [""]
    assert schedules.tuning(small) == schedules.tuning(one.contents)


def test_the_cure_names_what_was_asked_for() -> None:
    asked = BuildOptions(model="m", backend="tvm", precision="fp16", batch=4, target="sm_87")
    assert logs.cure(asked) == "make tune MODEL=m BACKENDS=tvm PRECISIONS=fp16 BATCH=4 TARGET=sm_87"


def test_logs_are_merged_from_files_and_folders(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    one = made(tmp_path / "a", "x86-64-v3", *LINES)
    made(tmp_path / "b", "x86-64-v3", job("b2"), task("t1"), trial("t1", "z", 1.0, job="b2"))
    three = made(tmp_path / "b", "znver4", *LINES)
    arguments = ["tune-merge", "--from", f"{one},{tmp_path / 'b'}", "--results", str(tmp_path / "results")]
    assert main([*arguments, "--ship", str(tmp_path / "ship")]) == 0
    said = capsys.readouterr().out
    assert "3 new trials, 3 in all" in said
    assert "2 new trials, 2 in all" in said
    into = logs.folder(tmp_path / "results", msgspec.structs.replace(HEADER, target="x86-64-v3")) / LOG
    assert [line.trace for line in trials.read(into).of(Trial)] == ["x", "y", "z"]
    assert sorted(path.name for path in (tmp_path / "ship").iterdir()) == [
        "tiny-fp32-x86-64-v3.jsonl",
        "tiny-fp32-znver4.jsonl",
    ]
    assert main(arguments) == 0
    assert "0 new trials, 3 in all" in capsys.readouterr().out
    assert three.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tune", "--trials", "0"], "TRIALS: 0 trials would tune nothing; the least is 1"),
        (["tune", "--trials", "-3"], "TRIALS: -3 trials would tune nothing"),
        (["tune", "--trials", "many"], "'many' is not a valid integer"),
        (["tune", "--minutes", "0"], "MINUTES: 0 minutes would tune nothing; the least is 0.05"),
        (["tune", "--minutes", "nan"], "MINUTES: nan minutes would tune nothing"),
        (["tune", "--minutes", "inf"], "MINUTES: inf is more than a week"),
        (["tune", "--backends", "onnxruntime"], "BACKENDS: onnxruntime has nothing to tune; tvm has"),
        (["tune", "--model", "yolov9z"], "yolov9z"),
        (["tune-merge"], "FROM: name logs, or folders below which they lie"),
        (["tune-merge", "--from", "nowhere"], "FROM: nowhere is no trial log, and there is none below it"),
    ],
)
def test_a_wrong_question_has_one_sentence_for_an_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture, arguments: List[str], message: str
) -> None:
    assert main([*arguments, "--results", str(tmp_path / "results")]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said
    assert not (tmp_path / "results" / "tuning").exists()


def test_a_log_that_cannot_be_read_keeps_all_others_from_being_merged(tmp_path: Path) -> None:
    made(tmp_path / "a", "x86-64-v3", *LINES)
    (tmp_path / "a" / "text").mkdir()
    (tmp_path / "a" / "text" / LOG).write_text("hello\n")
    assert main(["tune-merge", "--from", str(tmp_path / "a"), "--results", str(tmp_path / "results")]) == 2
    assert not (tmp_path / "results" / "tuning").exists()


def test_a_plan_is_tuned_without_what_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text(PLAN)
    plan = story.without_variants(plans.load(str(tmp_path / "my.toml"), Overrides()))
    assert [(block.backends, block.variants) for block in plan.experiments] == [(["tvm"], ["untuned"])]


def test_effort_is_checked() -> None:
    assert effort.checked(10, 0.5, "auto", "xgb") == effort.Effort(10, 0.5)
    with pytest.raises(PlanError, match="could ever be measured"):
        effort.checked(10**9, 1, "evolutionary", "xgb")


@pytest.mark.parametrize(
    ("io_memory", "module", "words"),
    [
        ("host", None, "AMD EPYC"),
        ("host", "NVIDIA Jetson AGX Orin", "NVIDIA Jetson AGX Orin, AMD EPYC"),
        ("pinned", None, "Orin, compute capability 8.7"),
        ("pinned", "NVIDIA Jetson AGX Orin", "NVIDIA Jetson AGX Orin, Orin, compute capability 8.7"),
    ],
)
def test_a_log_says_what_measured(io_memory: str, module: Optional[str], words: str) -> None:
    machine: Any = SimpleNamespace(cpu_model="AMD EPYC", cuda_device="Orin, compute capability 8.7", module=module)
    inference = InferenceOptions(threads=1, io_memory=io_memory)
    experiment: Any = SimpleNamespace(inference=inference)
    assert measures(machine, experiment) == words


def of_log(tmp_path: Path, *lines: Line) -> account.Account:
    path = log(tmp_path, *lines)
    contents = trials.read(path)
    return account.of(
        "0123456789abcdef", logs.Found(path, contents, "made here", None, schedules.tuning(contents)), None
    )


def test_an_account_says_what_each_task_got(tmp_path: Path) -> None:
    lines = [*LINES, task("t2"), choice("t2", "q", 1.0, 0.99, kept=False), task("t3"), trial("t3", "r", 7.0)]
    found_ = of_log(tmp_path, *lines)
    rows = [(one.name, one.share, one.trials, one.default_ns, one.tuned_ns, one.kept, one.why) for one in found_.parts]
    assert rows == [
        ("conv_t1", 0.9, 3, 9.0, 4.0, True, ""),
        ("conv_t2", 0.1, 3, 1.0, 0.99, False, "not faster"),
        ("conv_t3", None, 1, None, None, False, "no job has chosen for it"),
    ]


def test_an_accounts_curve_goes_on_from_job_to_job_and_is_worked_out_for_a_killed_one(tmp_path: Path) -> None:
    ended = msgspec.structs.replace(end("a1", 2, 60.0), curve=[Point(0.0, 0, 18.0), Point(58.0, 2, 8.0)])
    second = job("b2", started="2026-01-02T00:00:00+00:00", seed=2)
    lines = [*LINES[:-1], ended, second, trial("t1", "z", 3.0, job="b2", seconds=1.5)]
    found_ = of_log(tmp_path, *lines)
    assert found_.curve[:2] == [Point(0.0, 0, 18.0), Point(58.0, 2, 8.0)]
    assert found_.curve[2] == Point(61.5, 3, 6.0), "weight 2, best 3 ns"
    assert [one.curve for one in found_.ends] == [[]]
    assert (found_.tuning.trials, found_.tuning.seeds) == (3, [1, 2])


def test_a_header_that_differs_is_an_error_for_who_appends(tmp_path: Path) -> None:
    path: Optional[Path] = log(tmp_path, *LINES)
    assert path is not None
    with pytest.raises(RecordError, match="precision is fp32 there and fp16 here"):
        trials.check_same(trials.read_header(path), msgspec.structs.replace(HEADER, precision="fp16"), str(path))
