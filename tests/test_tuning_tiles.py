"""Estimates of a GPU's loops from tile sizes, and how a task's tile sizes are chosen from them."""

from typing import Any, List

import numpy
import pytest

from harness.backends._tvm_tuning import tiles
from harness.backends._tvm_tuning.gpus import Gpu, gpu
from harness.backends._tvm_tuning.guided import Correction, Guide
from harness.backends._tvm_tuning.nests import Choice
from harness.backends._tvm_tuning.tiles import Access, Nest

# A matrix product of 256 x 512 and 512 x 256.
PRODUCT = Nest((256, 256), (512,), (Access(4, (((0, 1),), ((2, 1),))), Access(4, (((2, 1),), ((1, 1),)))))
GOOD = ([[8, 1, 8, 1, 4], [8, 1, 16, 1, 2]], [[64, 1, 8]])


class Offering:
    """Of a sketch what a guide asks it."""

    unrolls, lengths, fetches_ahead = [0, 16, 64], [[1, 2, 3, 4], [1, 2, 4, 8]], False


def judged(spatial: Any, reduced: Any, processors: int = 132) -> Any:
    found = tiles.judge(PRODUCT, numpy.array([spatial]), numpy.array([reduced]), gpu("sm_90", processors))
    assert numpy.isfinite(found.features).all()
    return float(found.cycles[0])


def guide(correction: Correction) -> Guide:
    sketches: List[Any] = [Offering()]
    return Guide("task", PRODUCT, sketches, gpu("sm_90", 132), correction, 1)


def test_every_way_to_cut_a_loop_is_there_once() -> None:
    rows = tiles.factorisations(12, 3)
    assert len(rows) == len({tuple(row) for row in rows}) == 18
    assert (rows.prod(1) == 12).all()
    assert (tiles.factorisations(256, 5)[:, -1] <= 64).all()


@pytest.mark.parametrize(
    ("spatial", "reduced"),
    [
        ([[64, 1, 4, 1, 1], [64, 1, 4, 1, 1]], [[64, 1, 8]]),  # 16 threads
        ([[2, 1, 64, 1, 2], [2, 1, 64, 1, 2]], [[64, 1, 8]]),  # 4096 threads
        ([[1, 16, 8, 1, 2], [2, 8, 8, 1, 2]], [[64, 1, 8]]),  # 512 sums in a thread
        ([[4, 1, 16, 1, 4], [4, 1, 16, 1, 4]], [[4, 1, 128]]),  # 64 KiB of shared memory
    ],
)
def test_what_a_gpu_cannot_hold_is_worth_nothing(spatial: Any, reduced: Any) -> None:
    assert judged(spatial, reduced) == numpy.inf


def test_a_gpu_with_fewer_processors_takes_longer() -> None:
    assert judged(*GOOD, processors=8) > 1.5 * judged(*GOOD, processors=64)


def test_one_sum_in_a_thread_loads_more_than_eight_do() -> None:
    alone = ([[32, 1, 8, 1, 1], [16, 1, 16, 1, 1]], [[64, 1, 8]])
    assert judged(*alone, processors=8) > 1.2 * judged(*GOOD, processors=8)


def test_threads_that_ask_one_bank_wait_for_each_other() -> None:
    # A warp's threads lie along the second loop: side by side in the second matrix, or 32 elements apart.
    beside = numpy.array([[[256, 1, 1, 1, 1], [8, 1, 32, 1, 1]]])
    apart = numpy.array([[[256, 1, 1, 1, 1], [1, 1, 8, 1, 32]]])
    first, second = PRODUCT.reads
    for spatial, expected in ((beside, 1.0), (apart, 8.0)):
        tile = numpy.concatenate([spatial[:, :, 1:].prod(2), numpy.array([[8]])], axis=1)
        assert tiles._conflicts(second, tiles._extents(second, tile), spatial)[0] == expected
        assert tiles._conflicts(first, tiles._extents(first, tile), spatial)[0] == 1.0  # all read the same element


def test_a_windows_tile_holds_its_border() -> None:
    window = Access(4, (((0, 2), (1, 1)),))  # row * 2 + tap
    assert tiles._extents(window, numpy.array([[5, 3]])).tolist() == [[11]]


def test_a_guide_proposes_nothing_twice_and_only_what_a_gpu_can_hold() -> None:
    made = guide(Correction("random", 1, 1))
    found = made.propose(16) + made.propose(16)
    assert len(found) == len(set(found)) == 32
    for one in found:
        assert numpy.isfinite(judged(one.spatial, one.reduced))


def test_a_guide_goes_where_the_measured_times_are_short() -> None:
    """A device on which, against every estimate, time goes with the number of threads in a block."""
    pytest.importorskip("xgboost")
    made = guide(Correction("xgb", 1, 1))

    def threads(choice: Choice) -> int:
        return int(numpy.prod([loop[2] for loop in choice.spatial]))

    first = made.propose(24)
    made.learn(first, [threads(one) / 1e6 for one in first])
    for _ in range(3):
        then = made.propose(24)
        made.learn(then, [threads(one) / 1e6 for one in then])
    assert numpy.median([threads(one) for one in then]) < numpy.median([threads(one) for one in first])


def test_times_that_are_not_there_teach_nothing() -> None:
    correction = Correction("xgb", 1, 1)
    made = guide(correction)
    first = made.propose(4)
    made.learn(first, [None] * 4)
    assert not correction._known
    made.learn(first, [1e-3, None, 2e-3, None])
    assert [len(one) for one in correction._known["task"]] == [2, 2, 2]


def test_what_is_learned_twice_counts_once() -> None:
    correction = Correction("xgb", 1, 1)
    for _ in range(2):
        made = guide(correction)
        made.learn(made.propose(4), [1e-3, 2e-3, 3e-3, 4e-3])
    rows, _, weights = correction._known["task"]
    assert len(rows) == 4
    assert weights.tolist() == [1.0, 0.5, pytest.approx(1 / 3), 0.25], "against the best of all, not of its batch"


def test_choices_take_lengths_that_their_tensors_offer() -> None:
    found = guide(Correction("random", 1, 1)).propose(64)
    assert {length for one in found for length in one.vectors} == {1, 2, 4}


def test_too_few_loops_to_fill_a_warp_are_no_matter_of_tile_sizes() -> None:
    few = Nest((4, 4), (64,), PRODUCT.reads)
    sketches: List[Any] = [Offering()]
    small = Guide("task", few, sketches, gpu("sm_90", 132), Correction("random", 1, 1), 1)
    assert not small.finds()
    assert small.propose(4) == []
    assert guide(Correction("random", 1, 1)).finds()


def test_drawn_tiles_are_different_products_of_their_loops_and_some_are_like_the_given() -> None:
    like = [(numpy.array(GOOD[0], dtype="int32"), numpy.array(GOOD[1], dtype="int32"))]
    spatial, reduced = tiles.drawn(PRODUCT, 800, numpy.random.default_rng(1), like)
    assert (spatial.prod(2) == 256).all()
    assert (reduced.prod(2) == 512).all()
    together = {(one.tobytes(), other.tobytes()) for one, other in zip(spatial, reduced)}
    assert len(together) == len(spatial) <= 900
    same = (spatial == like[0][0]).all(2).sum(1) + (reduced == like[0][1]).all(2).sum(1)
    assert (same >= 1).sum() > 50


def test_half_floats_share_a_bank() -> None:
    apart = numpy.array([[[256, 1, 1, 1, 1], [4, 1, 32, 1, 2]]])
    tile = numpy.concatenate([apart[:, :, 1:].prod(2), numpy.array([[8]])], axis=1)
    second = PRODUCT.reads[1]
    for size, expected in ((4, 2.0), (2, 1.0)):
        access = second._replace(bytes=size)
        assert tiles._conflicts(access, tiles._extents(access, tile), apart)[0] == expected


def test_a_gpu_is_known_by_its_architecture() -> None:
    assert gpu("sm_87", 16) == Gpu(16, 48, 16, 4.0)
    assert gpu("sm_90a", 132) == Gpu(132, 64, 32, 4.0)
    assert gpu("sm_72", 8).multiply_adds == 2.0
    assert gpu("sm_999", 3) == Gpu(3)
