"""Holds our loop against the runtime's own: one sample of each in a random order, again and again, on one session.

Blocks of a hundred of either would not do: on a shared machine blocks of identical code differ by 5 to 20 %, pairs of
neighbours by 1 %.
"""

import gc
import random
import time
from pathlib import Path
from typing import Callable, Tuple

from harness import backends
from harness.backends._contract import Feed, Runner
from harness.errors import Unsupported
from harness.jobs import Pairs, PairsJob
from harness.worker import arrays
from harness.worker.measure import iterate

NEVER = 2**62
"""A deadline that no clock reaches."""


def pairs(job: PairsJob) -> Pairs:
    inputs, _ = arrays.load(Path(job.arrays), job.arrays_sha256)
    ours, bare = [], []
    shuffle = random.Random(job.seed)
    with backends.get(job.backend).load(Path(job.engine_dir), job.inference) as runner:
        theirs, on_device = _theirs(runner, job.backend)
        for _ in range(job.inference.warmup):
            _ours(runner, inputs, on_device)
            theirs()
        gc.collect()
        gc.disable()
        for _ in range(job.pairs):
            if shuffle.random() < 0.5:
                ours.append(_ours(runner, inputs, on_device))
                bare.append(theirs())
            else:
                bare.append(theirs())
                ours.append(_ours(runner, inputs, on_device))
        gc.enable()
    return Pairs(ours_ns=ours, bare_ns=bare, on_device=on_device)


def _ours(runner: Runner, inputs: Feed, on_device: bool) -> int:
    """One untimed call first, since TVM's evaluator makes one; then one iteration of the loop behind every result."""
    runner.enqueue()
    runner.synchronize()
    samples = iterate(runner, inputs, 1, NEVER, time.perf_counter_ns)
    return (samples.device_ns if on_device and samples.device_ns is not None else samples.compute_ns)[0]


def _theirs(runner: Runner, backend: str) -> Tuple[Callable[[], int], bool]:
    """The runtime's own way, and whether it reads the device's clock: an evaluator does where the device has one."""
    evaluator, bare = runner.evaluator(), runner.bare()
    if evaluator is not None:
        return evaluator, runner.device_timer() is not None
    if bare is None:
        raise Unsupported(f"{backend} has neither an evaluator nor a bare call to be held against")

    def timed() -> int:
        bare()
        start = time.perf_counter_ns()
        bare()
        return time.perf_counter_ns() - start

    return timed, False
