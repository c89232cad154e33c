"""TensorRT-RTX where TensorRT is not: it takes a plan's place under its own name, and is never a baseline."""

from pathlib import Path
from typing import Dict

import msgspec
import pytest

from harness import upgrades
from harness.errors import PlanError
from harness.host import instead, matrix
from harness.host.block import Block
from harness.host.plan import Plan, check
from harness.host.report import wording
from harness.host.report.compare import BASELINES
from harness.records import BackendFacts, Machine

THERE = BackendFacts(available=True, version="tensorrt-rtx 1.7", architecture="any", io_memory=["pinned", "mapped"])
MISSING = BackendFacts(available=False, reason="tensorrt is not installed")
PLAN = Plan(
    title="t",
    experiments=[
        Block(
            models=["yolov5s"],
            backends=["tensorrt", "tvm", "tensorrt_rtx"],
            options={"tensorrt": {"workspace_mb": 64}},
        )
    ],
)


def backends_of(facts: Dict[str, BackendFacts]) -> list:
    return matrix.experiments(instead.applied(PLAN, facts), 1)[1:]  # the first is the floor


def test_it_takes_the_place_once_with_the_options_that_were_meant_for_tensorrt() -> None:
    found = backends_of({"tensorrt": MISSING, "tensorrt_rtx": THERE})
    assert [one.build.backend for one in found] == ["tensorrt_rtx", "tvm"]
    assert found[0].build.options == {"workspace_mb": 64}
    assert "tensorrt_rtx" in found[0].slug() and "-tensorrt-" not in found[0].slug()


@pytest.mark.parametrize(
    "facts",
    [
        {"tensorrt": THERE, "tensorrt_rtx": THERE},
        {"tensorrt": MISSING, "tensorrt_rtx": MISSING},
        {"tensorrt": MISSING},
    ],
    ids=["both are there", "neither is there", "nobody asked for it"],
)
def test_else_the_plan_stays_as_it_is(facts: Dict[str, BackendFacts]) -> None:
    assert [one.build.backend for one in backends_of(facts)] == ["tensorrt", "tvm", "tensorrt_rtx"]


def test_its_own_options_go_before_those_of_tensorrt() -> None:
    block = msgspec.structs.replace(
        PLAN.experiments[0],
        options={"tensorrt": {"workspace_mb": 64}, "tensorrt_rtx": {"workspace_mb": 32}},
    )
    plan = msgspec.structs.replace(PLAN, experiments=[block])
    here = instead.applied(plan, {"tensorrt": MISSING, "tensorrt_rtx": THERE})
    assert here.experiments[0].options == {"tensorrt_rtx": {"workspace_mb": 32}}


def test_it_is_asked_for_with_tensorrt_and_its_facts_are_dropped_where_they_are_not_needed() -> None:
    assert instead.asked({"tensorrt", "tvm"}) == {"tensorrt", "tensorrt_rtx", "tvm"}
    assert instead.asked({"tvm"}) == {"tvm"}
    machine = upgrades.read(Path(__file__).parent / "records" / "machine-3.json", Machine)
    missing, there = {"tensorrt": MISSING, "tensorrt_rtx": MISSING}, {"tensorrt": MISSING, "tensorrt_rtx": THERE}
    for facts, kept in ((missing, {"tensorrt"}), (there, {"tensorrt", "tensorrt_rtx"})):
        found = instead.without_unused(msgspec.structs.replace(machine, backends=facts), {"tensorrt"})
        assert set(found.backends) == kept


def test_it_is_nobodys_baseline_and_called_by_its_own_name() -> None:
    with pytest.raises(PlanError, match="another product than TensorRT"):
        check(msgspec.structs.replace(PLAN, baseline="tensorrt_rtx"), {}, "plan")
    assert "tensorrt_rtx" not in BASELINES
    assert wording.backend("tensorrt_rtx") == "TensorRT-RTX"
