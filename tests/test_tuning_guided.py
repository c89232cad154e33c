"""Tasks for a GPU that is not here: which of them are searched by their tile sizes, and what becomes of a choice."""

import json
import re
from typing import Any, Set

import pytest

from harness.backends._tvm_generation import generation

pytestmark = pytest.mark.usefixtures("tvm")
BATCH = 4


@pytest.fixture(scope="module")
def target(tvm: Any) -> Any:
    return generation().cuda_target("sm_87")


def module(tvm: Any, *tensors: Any) -> Any:
    from tvm import te

    return tvm.IRModule({"main": te.create_prim_func(list(tensors))})


@pytest.fixture(scope="module")
def convolution(tvm: Any) -> Any:
    """A padded convolution with stride 2, as PyTorch lays it out: [1,16,32,32] to [1,32,16,16]."""
    from tvm import te, topi

    x, w = te.placeholder((1, 16, 32, 32), name="x"), te.placeholder((32, 16, 3, 3), name="w")
    return module(tvm, x, w, topi.nn.conv2d_nchw(x, w, 2, 1, 1))


def space(module: Any, target: Any) -> Any:
    from harness.backends._tvm_tuning.generation import How
    from harness.backends._tvm_tuning.gpus import gpu
    from harness.backends._tvm_tuning.guided import Correction
    from harness.backends._tvm_tuning.guided_space import space_of

    return space_of(module, target, "task", How("guided", BATCH, 1, 1, 1), Correction("random", 1, 1), gpu("sm_87", 16))


def threads(module_text: str, tvm: Any) -> Set[int]:
    """In a block, of a scheduled module, as its kernels' loops are bound."""
    script = tvm.ir.load_json(module_text)["main"].script()
    return {int(one) for one in re.findall(r'thread_binding\((?:T\.int64\()?(\d+)\)?, thread="threadIdx\.x"', script)}


def test_loops_of_a_convolution_are_read_with_stride_and_window(tvm: Any, target: Any, convolution: Any) -> None:
    nest = space(convolution, target)._guide._nest
    assert nest.spatial == (1, 32, 16, 16)
    assert nest.reduced == (16, 3, 3)
    image, weights = nest.reads
    assert image.bytes == weights.bytes == 4
    assert image.dims == (((0, 1),), ((4, 1),), ((2, 2), (5, 1)), ((3, 2), (6, 1)))
    assert weights.dims == (((1, 1),), ((4, 1),), ((5, 1),), ((6, 1),))


def test_a_choice_becomes_a_schedule_and_is_read_back_from_its_trace(tvm: Any, target: Any, convolution: Any) -> None:
    found = space(convolution, target)
    proposed = found.propose()
    assert len(proposed) == len({one.trace for one in proposed}) == BATCH
    for candidate in proposed:
        wanted, choice = 1, candidate.live
        for loop in choice.spatial:
            wanted *= loop[2]
        assert threads(candidate.module, tvm) == {wanted}
        assert found.remember(candidate.trace, candidate.args_info, [1.0]) == choice
        assert json.loads(candidate.args_info)[0] == ["TENSOR", "float32", [1, 16, 32, 32]]


def test_what_was_tried_in_an_earlier_job_is_not_proposed_again(tvm: Any, target: Any, convolution: Any) -> None:
    first, again = space(convolution, target), space(convolution, target)
    tried = first.propose()
    assert {one.trace for one in tried} == {one.trace for one in space(convolution, target).propose()}, "by one seed"
    again.recall([(again.remember(one.trace, one.args_info, [1e-3]), [1e-3]) for one in tried])
    assert not {one.trace for one in tried} & {one.trace for one in again.propose()}


def test_loops_without_a_sum_are_left_to_tvms_own_search(tvm: Any, target: Any) -> None:
    from tvm import te

    x = te.placeholder((64, 64), name="x")
    assert space(module(tvm, x, te.compute((64, 64), lambda i, j: x[i, j] * 2.0, name="y")), target) is None


def test_a_product_too_small_for_a_warp_is_left_to_tvms_own_search(tvm: Any, target: Any) -> None:
    from tvm import te

    a, b = te.placeholder((4, 64), name="a"), te.placeholder((64, 4), name="b")
    over = te.reduce_axis((0, 64), name="k")
    product = te.compute((4, 4), lambda i, j: te.sum(a[i, over] * b[over, j], axis=over), name="c")
    assert space(module(tvm, a, b, product), target) is None


def test_indices_that_are_read_from_a_tensor_are_not_judged(tvm: Any, target: Any) -> None:
    from tvm import te

    a, at = te.placeholder((512, 256), name="a"), te.placeholder((128,), "int32", name="at")
    over = te.reduce_axis((0, 256), name="k")
    total = te.compute((128, 64), lambda i, j: te.sum(a[at[i], over] * a[j, over], axis=over), name="c")
    assert space(module(tvm, a, at, total), target) is None


def test_a_trace_of_another_shape_is_nothing_to_remember(tvm: Any, target: Any, convolution: Any) -> None:
    found = space(convolution, target)
    insts, _ = json.loads(found.propose()[0].trace)
    assert found.remember(json.dumps([insts[1:], []]), "[]", [1.0]) is None
    assert found.remember(json.dumps([[], []]), "[]", [1.0]) is None
