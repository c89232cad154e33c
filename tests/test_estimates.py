"""How long cells are said to take: bounds without an earlier cell, earlier cells, and least durations."""

from pathlib import Path

import msgspec
import pytest

from harness import upgrades
from harness.host import runs
from harness.host.estimates import REST_S, START_S, Estimates
from harness.host.plan import Block, Plan
from harness.records import Experiment, Result
from tests.example_run import ended, experiment, result

PLAN = Plan(title="t", experiments=[Block(models=["yolov5n@320"], backends=["onnxruntime"])], max_seconds=60)
SHORT = experiment("onnxruntime", inference={"max_seconds": 60.0})
LONG = experiment("onnxruntime", inference={"max_seconds": 60.0, "min_seconds": 30.0})


def kept(folder: Path, one: Experiment, found: Result) -> Path:
    upgrades.write(runs.result_path(folder / "run", one, 1), found)
    return folder


def test_without_an_earlier_cell_its_budget_is_the_bound_and_a_rest_where_energy_is_asked_for(tmp_path: Path) -> None:
    found = Estimates(tmp_path, PLAN)
    assert found.cell_s(SHORT) == (60 + START_S, False)
    assert found.cell_s(LONG) == (60 + START_S + REST_S, False)
    assert found.total_s([SHORT, LONG]) == (120 + 2 * START_S + REST_S, 2)


def test_an_earlier_cell_is_gone_by(tmp_path: Path) -> None:
    found = Estimates(kept(tmp_path, SHORT, result(SHORT, 1, elapsed_s=3.5)), PLAN)
    assert found.cell_s(SHORT) == (3.5, True)


def test_a_cell_takes_at_least_its_least_duration_whatever_an_earlier_one_took(tmp_path: Path) -> None:
    """As of one that failed before its iterations."""
    failed = msgspec.structs.replace(ended(LONG, 1, "failed", "output0 differs"), elapsed_s=1.5)
    found = Estimates(kept(tmp_path, LONG, failed), PLAN)
    assert found.cell_s(LONG) == (30 + REST_S, True)
    found.learn(LONG, 0.9)
    assert found.total_s([LONG, LONG]) == (2 * (30 + REST_S), 0)
    found.learn(LONG, 36.0)
    assert found.cell_s(LONG) == (36.0, True), "what one really took is known better"


def test_a_budget_that_is_smaller_ends_a_least_duration(tmp_path: Path) -> None:
    found = Estimates(tmp_path, msgspec.structs.replace(PLAN, max_seconds=10))
    found.learn(LONG, 1.0)
    assert found.cell_s(LONG)[0] == pytest.approx(10 + REST_S)
