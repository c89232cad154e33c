"""Processes that propose candidates: a task that is thought about is answered once, also by one that hangs or dies."""

import os
import signal
import time
from typing import Any, Iterator, List

import pytest

from harness.backends import _tvm_target
from harness.backends._tvm_tuning.searchers import Proposal, Searchers, Thought

BATCH, PATIENCE_S = 4, 120.0

pytestmark = pytest.mark.usefixtures("tvm")


@pytest.fixture(scope="module")
def told(tvm: Any) -> Any:
    """A task as a process is told of it: a product of two matrices."""
    from tvm import te

    from harness.backends._tvm_tuning import generation

    a, b = te.placeholder((32, 32), name="a"), te.placeholder((32, 32), name="b")
    over = te.reduce_axis((0, 32), name="k")
    product = te.compute((32, 32), lambda i, j: te.sum(a[i, over] * b[over, j], axis=over), name="c")
    module = tvm.IRModule({"main": te.create_prim_func([a, b, product])})
    return {"name": "product", "workload": generation.workload(module), "known": [], "batch": BATCH}


@pytest.fixture(scope="module")
def searchers(tvm: Any) -> Iterator[Searchers]:
    from harness.backends._tvm_tuning.candidate import spell_target
    from harness.backends._tvm_tuning.generation import How

    how = How("evolutionary", BATCH, 1, 1, 1)
    target = spell_target(_tvm_target.target(_tvm_target.cpu_name()).tvm)
    hello = {"how": list(how), "target": target, "cost_model": "random", "gpu": None, "cores": []}
    made = Searchers(1, hello, 1, limit_s=60.0)
    yield made
    made.close()


def ready(searchers: Searchers) -> None:
    end = time.monotonic() + PATIENCE_S
    while not searchers.free():
        assert time.monotonic() < end, "it does not start"
        assert searchers.thoughts() == []
        time.sleep(0.02)


def thought(searchers: Searchers) -> Thought:
    found: List[Thought] = []
    end = time.monotonic() + PATIENCE_S
    while not found:
        assert time.monotonic() < end, "nothing came"
        found = searchers.thoughts()
        time.sleep(0.02)
    (one,) = found
    return one


def process(searchers: Searchers) -> int:
    return searchers._children[0]._process.pid


def test_a_task_is_thought_about_again_after_its_times_were_told(searchers: Searchers, told: Any) -> None:
    ready(searchers)
    searchers.think(0, 7, told)
    assert (searchers.free(), searchers.thinking()) == ([], [7])
    first = thought(searchers)
    assert (first.place, len(first.proposals), first.reason) == (7, BATCH, "")
    assert (searchers.own(0), searchers.thinking()) == ([7], [])
    searchers.learn(7, [[1e-3]] * (BATCH - 1) + [[]])
    searchers.think(0, 7, None)
    second = thought(searchers)
    assert second.proposals
    assert not {one.trace for one in first.proposals} & {one.trace for one in second.proposals}


def test_trials_of_an_earlier_job_are_known_to_a_process_that_is_told(searchers: Searchers, told: Any) -> None:
    ready(searchers)
    searchers.think(0, 8, told)
    known: List[Proposal] = thought(searchers).proposals
    searchers.think(0, 8, {**told, "known": [[one.trace, one.args_info, [1e-3]] for one in known]})
    again = thought(searchers)
    assert again.reason == ""
    assert {one.trace for one in again.proposals} - {one.trace for one in known}


def test_a_task_that_cannot_be_read_costs_that_task_alone(searchers: Searchers, told: Any) -> None:
    ready(searchers)
    before = process(searchers)
    searchers.think(0, 1, {**told, "workload": "[]"})
    one = thought(searchers)
    assert (one.place, one.proposals) == (1, [])
    assert one.reason
    searchers.think(0, 2, told)
    assert thought(searchers).proposals
    assert process(searchers) == before


@pytest.mark.parametrize(("sent", "words"), [(signal.SIGKILL, "signal 9"), (signal.SIGSTOP, "no candidates within")])
def test_a_process_that_hangs_or_dies_costs_what_it_had_learnt(
    searchers: Searchers, told: Any, monkeypatch: pytest.MonkeyPatch, sent: signal.Signals, words: str
) -> None:
    ready(searchers)
    before = process(searchers)
    os.kill(before, signal.SIGSTOP)
    searchers.think(0, 3, told)
    os.kill(before, sent)
    with monkeypatch.context() as short:
        short.setattr(searchers, "_limit_s", 1.0)
        one = thought(searchers)
    assert (one.place, one.proposals) == (3, [])
    assert words in one.reason
    assert searchers.own(0) == []
    ready(searchers)
    assert process(searchers) != before
    searchers.think(0, 3, told)
    assert len(thought(searchers).proposals) == BATCH
