"""Times an engine with the sampler beside it and without: blocks of either take turns at random, on one session."""

import gc
import random
import statistics
import time
from array import array
from pathlib import Path
from typing import Dict, List

from harness import backends
from harness.backends._contract import Feed, Runner
from harness.errors import Unsupported
from harness.jobs import Beside, BesideJob
from harness.worker import arrays
from harness.worker.measure import iterate
from harness.worker.pairs import NEVER
from harness.worker.watch import Watch


def beside(job: BesideJob) -> Beside:
    """The sampler is one process throughout; it is stopped for the blocks without it, and then takes nothing."""
    inputs, _ = arrays.load(Path(job.arrays), job.arrays_sha256)
    shuffle = random.Random(job.seed)
    found: "Dict[bool, List[array[int]]]" = {True: [], False: []}
    with backends.get(job.backend).load(Path(job.engine_dir), job.inference) as runner:
        with Watch(Path(job.sensors), job.inference) as watch:
            if watch.ready() is None:
                raise Unsupported(f"nothing to time: {watch.reason or 'the sensors are left alone'}")
            count = _per_block(runner, inputs, job)
            gc.collect()
            gc.disable()
            for _ in range(job.rounds):
                for times in found.values():
                    times.append(array("q"))
                for _ in range(job.pairs):
                    first = shuffle.random() < 0.5
                    for sampling in (first, not first):
                        (watch.resume if sampling else watch.pause)()
                        compute = iterate(runner, inputs, count, NEVER, time.perf_counter_ns).compute_ns
                        found[sampling][-1].extend(compute)
            gc.enable()
        telemetry, _ = watch.telemetry(0, 1)
    if telemetry is None or telemetry.cost is None:
        raise Unsupported(f"the sampler did not tell what it took: {watch.reason}")
    return Beside(
        mean_with_ns=[statistics.fmean(one) for one in found[True]],
        mean_without_ns=[statistics.fmean(one) for one in found[False]],
        median_with_ns=[statistics.median(one) for one in found[True]],
        median_without_ns=[statistics.median(one) for one in found[False]],
        cpu_share=telemetry.cost.cpu_s / (sum(map(sum, found[True])) / 1e9),
        channels=sum(one.readings > 0 for one in telemetry.channels),
    )


def _per_block(runner: Runner, inputs: Feed, job: BesideJob) -> int:
    """Iterations that take as long as a block is to be, by the warm-ups."""
    warmups = iterate(runner, inputs, job.inference.warmup, NEVER, time.perf_counter_ns)
    return max(1, round(job.block_s * 1e9 / statistics.median(warmups.total_ns())))
