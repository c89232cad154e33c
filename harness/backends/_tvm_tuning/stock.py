"""TVM's own tuner on the tasks of a job: what ours is held against in trials a minute. It keeps no trial.

It has the job's rules, population, cost model, seed and batches, and for each task the strategy of TVM's that the job
would take.
"""

import tempfile
import time
from typing import Any, List, Tuple

from harness.backends._tvm_target import Target
from harness.backends._tvm_tuning import generation, prepared, rules, sharing
from harness.backends._tvm_tuning.job import BATCHES
from harness.records import tuning as records

CANDIDATE_S = 300.0
"""To build one candidate, and to measure it. TVM's own 30 s pass while its builders import TVM and what a GPU's rules
need, all at once: on 16 cores beside an H100 not one of 32 candidates was built."""


def tune(module: Any, target: Target, job: records.Job) -> Tuple[int, float]:
    """Trials with a time, and the seconds that `tune_tasks` took; what is imported before it is not counted."""
    ms = generation.schedules()
    loops = prepared.fused(module, target.tvm, prepared.FORMS[job.form])
    counting = generation.with_cores(target.tvm, job.threads)
    tasks = sorted(generation.extracted(loops, counting), key=lambda one: generation.task_hash(one.dispatched[0]))
    model = generation.cost_model(job.cost_model, len(sharing.cores()), job.seed)
    with tempfile.TemporaryDirectory(prefix="harness-stock-") as folder:
        contexts: List[Any] = []
        weights: List[float] = []
        for place, task in enumerate(tasks):
            chance = rules.by_chance(job.strategy, task.dispatched[0])
            found = ms.relax_integration.extracted_tasks_to_tune_contexts(
                [task],
                folder,
                space=rules.space(ms, target.tvm),
                strategy=rules.strategy(ms, chance, target.tvm),
                num_threads=len(sharing.cores()),
                seed=job.seed + place,
            )
            contexts += found[0]
            weights += found[1]
        start = time.monotonic()
        database = ms.tune.tune_tasks(
            tasks=contexts,
            task_weights=weights,
            work_dir=folder,
            max_trials_global=job.trials,
            num_trials_per_iter=BATCHES[target.kind],
            builder=ms.builder.LocalBuilder(timeout_sec=CANDIDATE_S),
            runner=ms.runner.LocalRunner(timeout_sec=CANDIDATE_S),
            database="memory",
            cost_model=model,
        )
        seconds = time.monotonic() - start
    return sum(_timed(one) for one in database.get_all_tuning_records()), seconds


def _timed(record: Any) -> bool:
    """TVM writes 1e9 s for a candidate without a time."""
    return bool(record.run_secs) and all(float(one) < 1e6 for one in record.run_secs)
