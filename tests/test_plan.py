"""Plans: what is combined, what overrules what, and every way of being wrong, named with the nearest right one."""

from pathlib import Path

import click
import msgspec
import pytest

from harness import backends
from harness.errors import PlanError
from harness.host import matrix, options, schedule
from harness.host import plan as plans
from harness.host.plan import Overrides
from harness.host.request import requested
from harness.records import BuildOptions, InferenceOptions

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
    found = [(one.build.backend, one.inference.threads) for one in matrix.experiments(plan, 4)]
    assert found == [("onnxruntime", 1), ("null", 1), ("onnxruntime", 4), ("null", 4)]
    assert len(matrix.experiments(plan, 1)) == 2, "on one CPU `all` is 1, and nothing is measured twice"


def test_flags_overrule_the_plan_and_the_plan_the_default(tmp_path: Path) -> None:
    plan = plans.load(written(tmp_path), Overrides(rounds=7, threads=[2], models=["yolov5s"]))
    assert (plan.rounds, plan.iterations) == (7, 100)
    assert {one.build.model for one in matrix.experiments(plan, 4)} == {"yolov5s"}
    assert {one.inference.threads for one in matrix.experiments(plan, 4)} == {2}


def gpu(tmp_path: Path, **overrides: object) -> list:
    """The factors' experiments where ONNX Runtime offers pinned memory first."""
    plan = plans.load(written(tmp_path), Overrides(threads=[1], backends=["onnxruntime"], **overrides))  # type: ignore[arg-type]
    found = matrix.experiments(plan, 2, io_memory={"onnxruntime": ["pinned", "host"]})
    return [one for one in found if one.build.backend == "onnxruntime"]


def test_default_memory_is_the_backends_first_word_and_the_hosts_where_it_has_none(tmp_path: Path) -> None:
    assert [one.inference.io_memory for one in gpu(tmp_path)] == ["pinned"]
    assert [one.inference.io_memory for one in gpu(tmp_path, io_memory=["default", "host", "managed"])] == [
        "pinned",
        "host",
        "managed",
    ]
    plan = plans.load(written(tmp_path), Overrides(io_memory=["default"]))
    assert {one.inference.io_memory for one in matrix.experiments(plan, 2)} == {"host"}


def test_a_factor_that_was_not_asked_for_leaves_hashes_as_they_were(tmp_path: Path) -> None:
    plan = plans.load(written(tmp_path), Overrides(backends=["onnxruntime"], threads=[1]))
    (one,) = [one for one in matrix.experiments(plan, 1) if one.build.backend == "onnxruntime"]
    assert one.slug() == "yolov5n@320-onnxruntime-fp32-b1-t1-" + SLUG, "as schema 2 wrote them"


SLUG = "969ef7"


def test_modes_and_graphs_are_combined_and_each_build_is_an_experiment(tmp_path: Path) -> None:
    found = gpu(tmp_path, issue_modes=["latency", "throughput"], cuda_graph=[False, True], builds=3)
    assert len(found) == 2 * 2 * 3 == len({one.slug() for one in found})
    assert {one.build.build_number for one in found} == {1, 2, 3}
    assert {one.inference.slots for one in found if one.inference.issue_mode == "throughput"} == {2}


def test_the_floor_lies_nowhere_is_built_once_and_follows_the_mode(tmp_path: Path) -> None:
    overrides = Overrides(
        threads=[1], backends=["null", "onnxruntime"], io_memory=["pinned", "mapped"], cuda_graph=[True], builds=3
    )
    for one in (overrides, msgspec.structs.replace(overrides, backends=["onnxruntime"])):
        found = matrix.experiments(plans.load(written(tmp_path), one), 1)
        (floor,) = [each for each in found if each.build.backend == "null"]
        assert floor.inference == InferenceOptions(threads=1)
        assert floor.build == BuildOptions(model="yolov5n@320", backend="null")
    both = matrix.experiments(plans.load(written(tmp_path), Overrides(issue_modes=["latency", "throughput"])), 1)
    assert {one.inference.issue_mode for one in both if one.build.backend == "null"} == {"latency", "throughput"}


OPTIONS = """
title = "t"
[[experiments]]
models = ["yolov5n@320"]
backends = ["onnxruntime", "tvm"]
[experiments.options.tvm]
"""


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """TVM as if it had one option of each type."""
    types = {"rounds_mb": int, "share": float, "fast": bool, "how": str}
    monkeypatch.setattr(type(backends.get("tvm")), "options", types)


def test_options_go_to_the_backend_they_are_named_for(tmp_path: Path, declared: None) -> None:
    plan = plans.load(written(tmp_path, OPTIONS + 'rounds_mb = 5\nshare = 1\nfast = true\nhow = "x"\n'), Overrides())
    found = {one.build.backend: one.build for one in matrix.experiments(plan, 1)}
    assert found["tvm"].options == {"rounds_mb": 5, "share": 1, "fast": True, "how": "x"}
    assert not found["onnxruntime"].options
    assert len({found["tvm"], msgspec.structs.replace(found["tvm"], options={"rounds_mb": 6})}) == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("round_mb = 5", r"unknown option of tvm 'round_mb' \(nearest: rounds_mb"),
        ("rounds_mb = true", "option rounds_mb of tvm is True; it is a whole number"),
        ("rounds_mb = 5.5", "option rounds_mb of tvm is 5.5; it is a whole number"),
        ('share = "half"', "option share of tvm is 'half'; it is a number"),
        ("fast = 1", "option fast of tvm is 1; it is true or false"),
        ("how = 1", "option how of tvm is 1; it is a text"),
        ("how = [1]", r"Expected `bool \| int \| float \| str`, got `array`"),
    ],
)
def test_options_are_checked_against_what_the_backend_declares(
    tmp_path: Path, declared: None, line: str, message: str
) -> None:
    with pytest.raises(PlanError, match=message) as caught:
        plans.load(written(tmp_path, OPTIONS + line), Overrides())
    assert "my.toml" in str(caught.value)


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
        (("rounds = 3", 'rounds = "3"'), r"rounds: Expected `int`, got `str`"),
        (("rounds = 3", "rounds = 0"), "rounds is 0; the least is 1"),
        (("rounds = 3", "iterations = 5"), "iterations is 5; the least is 10"),
        (("rounds = 3", "max_seconds = nan"), "max_seconds is nan; the least is"),
        (("rounds = 3", "max_seconds = inf"), "max_seconds is inf; the most is"),
        (("rounds = 3", "min_seconds = 0"), "min_seconds is 0.0; the least is 0.001"),
        (("rounds = 3", "min_seconds = 90"), "min_seconds is 90, more than the budget of a cell; max_seconds is 60"),
        (("rounds = 3", "sampling_s = -1"), "sampling_s is -1.0; the least is 0"),
        (("rounds = 3", "sampling_s = 0.001"), "sampling_s is 0.001; the least is 0.01, or 0 for none"),
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
        (("threads = [1", 'io_memory = ["pined"]\nthreads = [1'), r"unknown I/O memory 'pined' \(nearest: pinned"),
        (("threads = [1", "io_memory = []\nthreads = [1"), "io_memory is empty"),
        (
            ("threads = [1", 'issue_modes = ["rate"]\nthreads = [1'),
            r"mode 'rate' \(nearest: latency\); known",
        ),
        (("threads = [1", "cuda_graph = [1]\nthreads = [1"), "Expected `bool`, got `int`"),
        (("threads = [1", "builds = 0\nthreads = [1"), "builds is 0; the least is 1"),
        (("threads = [1", "options.tensort.a = 1\nthreads = [1"), "unknown backend in options 'tensort'"),
        (("threads = [1", "options.null.a = 1\nthreads = [1"), "unknown option 'a' of null, which has none"),
        (('title = "t"', ""), "there is no field 'title'"),
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
        (Overrides(min_seconds=61.0), "^MIN_SECONDS: min_seconds is 61, more than the budget"),
        (Overrides(sampling_s=0.005), "^SAMPLING_S: sampling_s is 0.005; the least is"),
        (Overrides(max_seconds=float("nan")), "^MAX_SECONDS: max_seconds is nan"),
        (Overrides(io_memory=["unified"]), "^IO_MEMORY: unknown I/O memory 'unified'"),
        (Overrides(issue_modes=["latncy"]), r"^ISSUE_MODES: unknown issue mode 'latncy' \(nearest: latency"),
        (Overrides(builds=0), "^BUILDS: builds is 0; the least is 1"),
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


def test_the_command_that_does_the_same_again_names_every_factor(tmp_path: Path) -> None:
    words = {
        "--io-memory": "pinned,mapped",
        "--issue-modes": "throughput",
        "--cuda-graph": "yes,0",
        "--builds": "3",
        "--calibration": f"{tmp_path}/some images",
    }
    (tmp_path / "some images").mkdir()
    given = {}
    options.all_of(options.WHAT, options.HOW, options.FOLDERS)(click.command()(lambda **more: given.update(more))).main(
        ["--plan", "demo", *(word for pair in words.items() for word in pair)], standalone_mode=False
    )
    asked = requested(given, "default")
    assert asked.command == (
        "make bench PLAN=demo IO_MEMORY=pinned,mapped ISSUE_MODES=throughput CUDA_GRAPH=true,false BUILDS=3 "
        f"'CALIBRATION={tmp_path}/some images'"
    )
    assert asked.plan.calibration == f"{tmp_path}/some images"
    assert {one.builds for one in asked.plan.experiments} == {3}


def test_every_round_visits_each_once_in_an_order_of_its_own() -> None:
    plan = plans.load("demo", Overrides())
    experiments = matrix.experiments(plan, 2)
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
