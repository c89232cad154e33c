"""One tuning job, from a model's graph to its trial log: the order of its steps, and how its time is shared out."""

import statistics
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from harness.backends._tvm_target import Target
from harness.backends._tvm_tuning import finals, generation, prepared, search, sharing
from harness.backends._tvm_tuning.builders import Builders
from harness.backends._tvm_tuning.candidate import spell_target
from harness.backends._tvm_tuning.flow import Flow
from harness.backends._tvm_tuning.journal import Journal
from harness.backends._tvm_tuning.meter import Meter
from harness.backends._tvm_tuning.progress import whole_s
from harness.backends._tvm_tuning.tasks import TuningTask, tasks_of
from harness.errors import BuildError
from harness.records import tuning as records
from harness.trials import Log

BATCH = 24
FINALS_SHARE = 0.15
"""Of a job's time, at most, for the comparison at its end."""
FINAL_S = 0.9
"""That the comparison of one task takes, about."""
EXTRACTING, SEARCHING, CHOOSING = "extracting", "searching", "choosing"


class Step(NamedTuple):
    """How far a job is, for whoever waits for it."""

    doing: str
    seconds: float = 0.0
    trials: int = 0
    tasks: int = 0
    default_s: Optional[float] = None
    """Estimated time of the whole model by its tasks' default schedules."""
    estimated_s: Optional[float] = None
    """The same with the best schedules so far."""


class Watch(NamedTuple):
    """How a job is followed and stopped."""

    told: Callable[[Step], None] = lambda step: None
    stopped: Callable[[], bool] = lambda: False


class Outcome(NamedTuple):
    """What a job came to."""

    verdicts: List[finals.Verdict]
    end: records.End
    ended: str
    """`trials`, `time`, `stopped`, or `space` where no task has a schedule left to try."""
    known: int
    """Trials of this model's tasks, earlier jobs' included."""
    reasons: Dict[str, int]
    """How often candidates had no time, by why."""


def tune(
    module: Any,
    target: Target,
    job: records.Job,
    log: Log,
    watch: Watch,
    meter: Optional[Meter] = None,
) -> Outcome:
    """Raises BuildError where there is nothing to tune. The log is whole whenever this ends, however it ends."""
    watch.told(Step(EXTRACTING))
    model = generation.cost_model(job.cost_model, len(sharing.cores()), job.seed)
    tasks = tasks_of(prepared.fused(module, target.tvm, prepared.FORMS[job.form]), target.tvm)
    if not tasks:
        raise BuildError("tvm: this model has no part that could be tuned")
    own = meter or sharing.local_meter(target, job.threads)
    count = sharing.builders(target.kind, job.threads, own.overlaps)
    with tempfile.TemporaryDirectory(prefix="harness-tune-") as folder:
        try:
            builders = Builders(count, spell_target(target.tvm), target.linker)
            try:
                flow = Flow(builders, own, Path(folder))
                return _run(tasks, target.tvm, job, log, watch, flow, model, 2 * count if own.overlaps else 0)
            finally:
                builders.close()
        finally:
            own.close()


def _run(
    tasks: List[TuningTask],
    target: Any,
    job: records.Job,
    log: Log,
    watch: Watch,
    flow: Flow,
    model: Any,
    ahead: int,
) -> Outcome:
    journal = Journal(log, job, generation.spelled(target))
    workloads = {one.task: one.workload for one in log.contents.of(records.Task) if one.workload}
    for task in tasks:
        if task.hash not in workloads:
            workloads[task.hash] = generation.workload(task.module)
            journal.task(task, workloads[task.hash])
    known = search.of_log(log.contents.of(records.Trial))
    defaults = finals.measure_defaults(tasks, flow, journal)
    how = generation.How(job.strategy, BATCH, len(sharing.cores()), job.threads, job.seed)
    medians = [statistics.median(one.times_s) if one.times_s else None for one in defaults]
    searching = search.Search(tasks, medians, known, target, how, model, flow, journal, ahead)
    default_s = sum(task.weight * (one or 0.0) for task, one in zip(tasks, medians))
    last = job.max_seconds - min(FINALS_SHARE * job.max_seconds, FINAL_S * len(tasks))

    def until() -> str:
        estimated = whole_s(searching.progress)
        watch.told(Step(SEARCHING, journal.seconds(), journal.trials, len(tasks), default_s, estimated))
        return "stopped" if watch.stopped() else "time" if journal.seconds() >= last else ""

    ended = searching.run(job.trials, until)
    watch.told(Step(CHOOSING, journal.seconds(), journal.trials, len(tasks), default_s, whole_s(searching.progress)))
    verdicts = finals.compare(tasks, defaults, known, workloads, flow, journal)
    there = sum(len(known.get(task.hash, {})) for task in tasks)
    return Outcome(verdicts, journal.end(flow.measuring_s), ended, there, journal.reasons)
