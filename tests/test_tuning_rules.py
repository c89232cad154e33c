"""What a search may choose from: TVM's rules but for unrolling, and how tasks of many computations are searched."""

from typing import Any, List

import pytest

from harness.backends import _tvm_target
from harness.backends._tvm_tuning import generation, rules

pytestmark = pytest.mark.usefixtures("tvm")
BATCH = 4


def names(found: Any) -> List[str]:
    return [type(one).__name__ for one in found]


def chain(tvm: Any, length: int) -> Any:
    """A task of so many computations one after another, the first of them a sum."""
    from tvm import te

    first, k = te.placeholder((8, 8), name="x"), te.reduce_axis((0, 8), name="k")
    value = te.compute((8, 8), lambda i, j: te.sum(first[i, k] * first[j, k], axis=k), name="sum")
    for _ in range(length - 1):
        value = te.compute((8, 8), one_more(value), name="more")
    return tvm.IRModule({"main": te.create_prim_func([first, value])})


def one_more(x: Any) -> Any:
    return lambda i, j: x[i, j] + 1.0


def space(module: Any, strategy: str = "evolutionary") -> Any:
    target = _tvm_target.target(_tvm_target.cpu_name()).tvm
    how = generation.How(strategy, BATCH, 1, 1, 1)
    return generation.Space(module, target, "chain", how, generation.cost_model("random", 1, 1))


@pytest.mark.parametrize("kind", ["llvm", "cuda"])
def test_every_rule_of_tvm_is_there(kind: str) -> None:
    theirs = names(generation.schedules().schedule_rule.ScheduleRule.create(kind))
    assert sorted(names(rules.rules_of(generation.schedules(), kind, [0, 16]))) == sorted(theirs)
    if kind == "llvm":
        assert names(rules.rules_of(generation.schedules(), kind, [0, 16])) == theirs, "in its order"


def test_a_cpus_schedules_unroll_to_no_more_steps_than_are_offered(tvm: Any) -> None:
    (sketch,) = {one.live.sch.trace for one in space(chain(tvm, 1), "replay-trace").propose()[:1]}
    offered = [[int(step) for step in one.attrs[0]] for one in sketch.insts if one.kind.name == "SampleCategorical"]
    assert list(rules.UNROLLED) in offered
    assert max(max(one) for one in offered) == max(rules.UNROLLED)


def test_blocks_are_counted(tvm: Any) -> None:
    assert [rules.blocks(chain(tvm, length)) for length in (1, 5)] == [1, 5]


@pytest.mark.parametrize(
    ("length", "strategy", "walked"),
    [
        (2, "evolutionary", "EvolutionarySearch"),
        (2, "replay-trace", "ReplayTrace"),
        (rules.MANY_BLOCKS + 1, "evolutionary", "ReplayTrace"),
    ],
)
def test_a_task_of_many_blocks_is_searched_by_chance(tvm: Any, length: int, strategy: str, walked: str) -> None:
    made = space(chain(tvm, length), strategy)
    first = made.propose()
    assert len(first) == BATCH
    made.learn(first, [(1e-3, 1e-3)] * BATCH)
    assert made.propose()
    assert names([made._context.search_strategy]) == [walked]
    remembered = made.remember(first[0].trace, first[0].args_info, (1e-3,))
    assert (remembered is None) == (walked == "ReplayTrace"), "chance learns nothing from it"
