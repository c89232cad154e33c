"""Times two engines in one process: in every round both run a block, in an order drawn at random."""

import contextlib
import gc
import random
import statistics
import time
from pathlib import Path
from typing import List

from harness import backends
from harness.backends._contract import Feed, Runner
from harness.jobs import Versus, VersusJob
from harness.worker import arrays
from harness.worker.measure import iterate
from harness.worker.pairs import NEVER

LEAST, MOST = 3, 2_000
"""Iterations of a block."""


def versus(job: VersusJob) -> Versus:
    """The first iteration of a block is not counted: the other engine has just had the caches."""
    inputs, _ = arrays.load(Path(job.arrays), job.arrays_sha256)
    shuffle, backend = random.Random(job.seed), backends.get(job.backend)
    with contextlib.ExitStack() as stack:
        both = [stack.enter_context(backend.load(Path(one), job.inference)) for one in (job.engine_dir, job.other_dir)]
        for runner in both:
            runner.set_inputs(inputs)
        count = _per_block(both, inputs, job.block_s)
        medians: List[List[float]] = [[], []]
        gc.collect()
        gc.disable()
        for _ in range(job.rounds):
            for place in shuffle.sample((0, 1), 2):
                times = iterate(both[place], inputs, count + 1, NEVER, time.perf_counter_ns).compute_ns
                medians[place].append(statistics.median(times[1:]))
        gc.enable()
    return Versus(engine_ns=medians[0], other_ns=medians[1], iterations=count)


def _per_block(both: List[Runner], inputs: Feed, block_s: float) -> int:
    """As many for both, so that the median of either rests on as much: what the slower one manages in a block."""
    slowest = 0.0
    for runner in both:
        warmups = iterate(runner, inputs, LEAST, NEVER, time.perf_counter_ns).total_ns()
        slowest = max(slowest, statistics.median(warmups))
    return max(LEAST, min(MOST, round(block_s * 1e9 / max(slowest, 1.0))))
