"""One tuning job, from a model's graph to its trial log: the order of its steps, and how its time is shared out."""

import contextlib
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence

from harness.backends._tvm_target import Target
from harness.backends._tvm_tuning import finals, generation, prepared, search, seeds, sharing
from harness.backends._tvm_tuning.builders import Builders
from harness.backends._tvm_tuning.candidate import first_line, spell_target
from harness.backends._tvm_tuning.flow import Flow
from harness.backends._tvm_tuning.journal import Journal
from harness.backends._tvm_tuning.meter import INVALID, Meter
from harness.backends._tvm_tuning.progress import whole_s
from harness.backends._tvm_tuning.searchers import Proposal, Searchers, Thought
from harness.backends._tvm_tuning.tasks import TuningTask, tasks_of
from harness.errors import BuildError
from harness.records import tuning as records
from harness.schedules import median
from harness.trials import Log

AHEAD, TURN = 4, 2
"""Batches that may wait while another is thought of, which takes seconds: where measuring goes on meanwhile, and where
it takes turns."""
FINALS_SHARE = 0.15
"""Of a job's time, at most, for the comparison at its end."""
FINAL_S, STANDING_S = 0.9, 0.3
"""That the comparison of one task takes, about; and what one more schedule in it takes."""
BATCHES = {"cuda": 32, "llvm": 16}
"""Candidates that are proposed together, by the kind of target; TVM's own tuner takes as many."""
GUIDED_BATCH = 12
"""The same where each batch learns much from the one before, and costs little to think of."""
FEW = 4
"""The same of a task that takes little of the model's time."""
REPEATS_S = {"cuda": 0.01, "llvm": 0.02}
"""That a repeat takes at least, by the kind of target: nobody else disturbs a GPU's."""
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
    """Trials of this model's tasks, those of earlier jobs of this stand included."""
    reasons: Dict[str, int]
    """How often candidates had no time, by why."""
    said: List[str]
    """What kept tasks from being tuned."""


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
    generation.cost_model(job.cost_model, 1, job.seed)  # raises here, not in another process
    with tempfile.TemporaryDirectory(prefix="harness-tune-") as folder, contextlib.ExitStack() as begun:
        # They begin before there is anything to do, and import TVM while the tasks are extracted.
        own = meter or sharing.local_meter(target, job.threads)
        begun.callback(own.close)
        kept = job.threads if target.kind == "llvm" else 1
        guided = job.strategy == generation.GUIDED
        count = sharing.builders(target.kind, kept, own.overlaps, guided)
        rest = sharing.rest(target, job.threads) if meter is None else []
        builders = Builders(count, spell_target(target.tvm), target.linker, rest)
        begun.callback(builders.close)
        count = sharing.searchers(target.kind, kept, own.overlaps, guided)
        searchers = _searchers(target, job, count, own.overlaps, rest)
        begun.callback(searchers.close)
        tasks = tasks_of(prepared.fused(module, target.tvm, prepared.FORMS[job.form]), target.tvm)
        if not tasks:
            raise BuildError("tvm: this model has no part that could be tuned")
        return _run(tasks, target, job, log, watch, Flow(builders, own, Path(folder)), searchers, own.overlaps)


def _searchers(target: Target, job: records.Job, count: int, overlaps: bool, cores: List[int]) -> Searchers:
    threads = sharing.searcher_threads(overlaps)
    how = generation.How(job.strategy, _batch(target, job), threads, job.threads, job.seed)
    hello = {
        "how": list(how),
        "target": spell_target(target.tvm),
        "cost_model": job.cost_model,
        "gpu": sharing.gpu(target) if job.strategy == generation.GUIDED else None,
        "cores": cores,
    }
    return Searchers(count, hello, threads)


def _run(
    tasks: List[TuningTask],
    target: Target,
    job: records.Job,
    log: Log,
    watch: Watch,
    flow: Flow,
    searchers: Searchers,
    overlaps: bool,
) -> Outcome:
    journal = Journal(log, job, generation.spelled(target.tvm))
    workloads = {one.task: one.workload for one in log.contents.of(records.Task) if one.workload}
    for task in tasks:
        if task.hash not in workloads:
            workloads[task.hash] = generation.workload(task.module)
            journal.task(task, workloads[task.hash])
    earlier = seeds.earlier(log.contents, job)
    defaults = finals.measure_defaults(tasks, flow, journal, earlier.defaults_s)
    medians = [median(one.times_s) for one in defaults]
    size = _batch(target, job)
    pace = search.Pace(size, FEW, (AHEAD if overlaps else TURN) * size, REPEATS_S[target.kind])
    searching = search.Search(tasks, medians, earlier.known, workloads, pace, searchers, flow, journal)
    default_s = sum(task.weight * (one or 0.0) for task, one in zip(tasks, medians))
    finals_s = FINAL_S * len(tasks) + STANDING_S * len(earlier.standing)
    last = job.max_seconds - min(FINALS_SHARE * job.max_seconds, finals_s)

    def until() -> str:
        estimated = whole_s(searching.progress)
        watch.told(Step(SEARCHING, journal.seconds(), journal.trials, len(tasks), default_s, estimated))
        return "stopped" if watch.stopped() else "time" if journal.seconds() >= last else ""

    first = _first(tasks, earlier.seeds, workloads, journal)
    ended = searching.run(job.trials, until, lambda: journal.seconds() / last, first)
    watch.told(Step(CHOOSING, journal.seconds(), journal.trials, len(tasks), default_s, whole_s(searching.progress)))
    verdicts = finals.compare(tasks, defaults, earlier, workloads, flow, journal, job.max_seconds)
    there = sum(len(earlier.known.get(task.hash, {})) for task in tasks)
    return Outcome(verdicts, journal.end(flow.measuring_s), ended, there, journal.reasons, searching.said)


def _batch(target: Target, job: records.Job) -> int:
    return GUIDED_BATCH if job.strategy == generation.GUIDED else BATCHES[target.kind]


def _first(
    tasks: Sequence[TuningTask], found: Dict[str, List[search.Known]], workloads: Dict[str, str], journal: Journal
) -> List[Thought]:
    """What was good elsewhere, as candidates; one that TVM no longer makes is counted as invalid."""
    thoughts = []
    for place, task in enumerate(tasks):
        proposals = []
        for one in found.get(task.hash, []):
            try:
                module = generation.rebuilt(workloads[task.hash], one.trace, one.args_info, journal.target)
            except Exception as error:  # what TVM raises for a schedule that does not fit is of many classes
                journal.no_time(INVALID, first_line(error))
                continue
            proposals.append(Proposal(module, one.trace, one.args_info))
        if proposals:
            thoughts.append(Thought(place, proposals, "", 0.0))
    return thoughts
