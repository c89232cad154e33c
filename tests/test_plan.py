"""Plans: what is combined, what overrules what, and every way of being wrong, named with the nearest right one."""

from pathlib import Path

import pytest

from harness.errors import PlanError
from harness.host import plan as plans
from harness.host import schedule
from harness.host.plan import Overrides

TEXT = """
title = "t"
rounds = 3
[[experiments]]
models = ["yolov5n@320"]
backends = ["onnxruntime", "null"]
threads = [1, "all"]
[[experiments]]
models = ["yolov5n@320"]
backends = ["onnxruntime"]
"""


def written(tmp_path: Path, text: str = TEXT) -> str:
    (tmp_path / "my.toml").write_text(text)
    return str(tmp_path / "my.toml")


def test_every_combination_once_and_all_is_the_boards_count(tmp_path: Path) -> None:
    plan = plans.load(written(tmp_path), Overrides())
    found = [(one.build.backend, one.inference.threads) for one in plans.experiments(plan, 4)]
    assert found == [("onnxruntime", 1), ("null", 1), ("onnxruntime", 4), ("null", 4)]
    assert len(plans.experiments(plan, 1)) == 2, "on one CPU `all` is 1, and nothing is measured twice"


def test_flags_overrule_the_plan_and_the_plan_the_default(tmp_path: Path) -> None:
    plan = plans.load(written(tmp_path), Overrides(rounds=7, threads=[2], models=["yolov5s"]))
    assert (plan.rounds, plan.iterations) == (7, 100)
    assert {one.build.model for one in plans.experiments(plan, 4)} == {"yolov5s"}
    assert {one.inference.threads for one in plans.experiments(plan, 4)} == {2}


@pytest.mark.parametrize("name", ["default", "demo"])
def test_shipped_plans_load(name: str) -> None:
    plan = plans.load(name, Overrides())
    assert {block for one in plan.experiments for block in one.backends} == {"null", "onnxruntime", "tvm"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("rounds = 3", "round = 3"), r"unknown field 'round' \(nearest: rounds"),
        (("threads =", "thread ="), r"unknown field 'thread' \(nearest: threads"),
        (('"onnxruntime", "null"', '"onnxrt"'), r"unknown backend 'onnxrt' \(nearest: onnxruntime\)"),
        (("rounds = 3", 'rounds = "3"'), r"Expected `int`, got `str` - at `\$\.rounds`"),
        (("rounds = 3", "rounds = 0"), "rounds is 0; the least is 1"),
        (("rounds = 3", "iterations = 5"), "iterations is 5; the least is 10"),
        (("rounds = 3", "max_seconds = nan"), "max_seconds is nan; the least is"),
        (("rounds = 3", "max_seconds = inf"), "max_seconds is inf; the most is"),
        (("rounds = 3", "time_limit_s = 1e300"), "time_limit_s is 1e.300; the most is"),
        (("rounds = 3", "iterations = 100000000000000000"), "iterations is 100000000000000000; the most is"),
        (("rounds = 3", "seed = -1"), "seed is -1; the least is 0"),
        (("rounds = 3", "seed = 4294967296"), "seed is 4294967296; the most is 4294967295"),
        (("rounds = 3", 'baseline = "tensort"'), "unknown baseline 'tensort'"),
        (('threads = [1, "all"]', 'precisions = ["fp61"]'), r"unknown precision 'fp61' \(nearest: fp16"),
        (('threads = [1, "all"]', "threads = [0]"), "threads is 0; give a count"),
        (('threads = [1, "all"]', "batch = [0]"), "batch is 0"),
        (('threads = [1, "all"]', "batch = [100000000000]"), "batch is 100000000000; the most is"),
        (('threads = [1, "all"]', "threads = []"), "threads is empty"),
        (('title = "t"', ""), "missing required field `title`"),
        (('title = "t"', "title = "), r"my\.toml"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(tmp_path: Path, change: tuple, message: str) -> None:
    with pytest.raises(PlanError, match=message) as caught:
        plans.load(written(tmp_path, TEXT.replace(*change)), Overrides())
    assert "my.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (Overrides(backends=["tvmm"]), r"^BACKENDS: unknown backend 'tvmm' \(nearest: tvm\)"),
        (Overrides(precisions=["fp61"]), "^PRECISIONS: unknown precision"),
        (Overrides(baseline="tvmm"), "^BASELINE: unknown baseline"),
        (
            Overrides(baseline="null"),
            "^BASELINE: baseline is 'null', which computes nothing; choose one of onnxruntime",
        ),
        (Overrides(baseline="tvm", backends=["onnxruntime"]), "^BASELINE: baseline 'tvm' is not measured by this plan"),
        (Overrides(max_seconds=float("nan")), "^MAX_SECONDS: max_seconds is nan"),
        (Overrides(models=[]), "^MODEL: models is empty"),
        (Overrides(threads=[10**9]), "^THREADS: threads is 1000000000"),
    ],
)
def test_what_a_variable_got_wrong_is_not_blamed_on_the_plan(overrides: Overrides, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        plans.load("demo", overrides)


def test_an_unknown_plan_names_the_nearest() -> None:
    with pytest.raises(PlanError, match=r"no plan 'dmeo' \(nearest: demo\)"):
        plans.load("dmeo", Overrides())


def test_every_round_visits_each_once_in_an_order_of_its_own() -> None:
    plan = plans.load("demo", Overrides())
    experiments = plans.experiments(plan, 2)
    cells = schedule.order(experiments, 5, seed=1)
    rounds = [[one.slug() for one, number in cells if number == wanted] for wanted in range(1, 6)]
    assert all(sorted(each) == sorted(one.slug() for one in experiments) for each in rounds)
    assert len({tuple(each) for each in rounds}) > 1
    assert cells == schedule.order(experiments, 5, seed=1)
    assert cells != schedule.order(experiments, 5, seed=2)


def test_the_order_is_the_same_on_every_python() -> None:
    letters = list("abcdefgh")
    assert "".join(one for one, _ in schedule.order(letters, 2, seed=1)) == ORDER  # type: ignore[type-var]


ORDER = "bfcdgeahafhcedgb"
