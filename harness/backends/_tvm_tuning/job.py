"""One tuning job from a model's file to its trial log: the order of its steps, and how its time is shared out."""

import os
import secrets
import statistics
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from harness import cpu
from harness.backends import _tvm_target
from harness.backends._tvm_target import Target
from harness.backends._tvm_tuning import finals, generation, prepared, search
from harness.backends._tvm_tuning.builders import Builders
from harness.backends._tvm_tuning.candidate import spell_target
from harness.backends._tvm_tuning.flow import Flow
from harness.backends._tvm_tuning.journal import Journal
from harness.backends._tvm_tuning.local_meter import LocalMeter, Where
from harness.backends._tvm_tuning.meter import Meter
from harness.backends._tvm_tuning.tasks import TuningTask, tasks_of
from harness.errors import BuildError
from harness.records import tuning as records
from harness.trials import Log

BATCH = 16
FINALS_SHARE = 0.15
"""Of the whole time, at most, for the comparison at the end."""
FINAL_S = 0.9
"""That the comparison of one task takes, about."""


class Asked(NamedTuple):
    """What a job is asked to do."""

    trials: int
    max_seconds: float
    threads: int
    seed: int = 0
    strategy: str = "evolutionary"
    cost_model: str = "xgb"
    form: str = ""
    """Of `prepared.FORMS`; empty takes the one that is best for the kind of target."""
    builders: int = 0
    """Processes that build; 0 takes as many as fit."""


class Outcome(NamedTuple):
    """What a job came to."""

    verdicts: List[finals.Verdict]
    end: records.End
    reasons: Dict[str, int]
    """How often candidates had no time, by why."""
    form: str
    overlapped: bool
    """Building and measuring went on at the same time."""


def tune(
    module: Any,
    target: Target,
    asked: Asked,
    log: Log,
    meter: Optional[Meter] = None,
    say: Callable[[str], None] = print,
) -> Outcome:
    """Raises BuildError where the model has nothing to tune. The log is whole whenever this ends, however it ends."""
    if asked.trials < 1:
        raise BuildError("tvm: tuning was asked for no trials; ask for at least one")
    form = asked.form or prepared.default_form(target.kind)
    tasks = tasks_of(prepared.fused(module, target.tvm, prepared.FORMS[form]), target.tvm)
    if not tasks:
        raise BuildError("tvm: this model has no task that could be tuned")
    spelled = generation.spelled(target.tvm)
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    own = meter or local_meter(target, asked.threads, cores)
    with tempfile.TemporaryDirectory(prefix="harness-tune-") as folder:
        count = asked.builders or builders_beside(own.overlaps, target.kind, asked.threads, len(cores))
        builders = Builders(count, spell_target(target.tvm), target.linker)
        try:
            flow = Flow(builders, own, Path(folder))
            return _run(tasks, target, spelled, asked._replace(form=form), log, flow, count, own.overlaps, say)
        finally:
            builders.close()
            own.close()


def local_meter(target: Target, threads: int, cores: List[int]) -> LocalMeter:
    if target.kind == "cuda":
        return LocalMeter(Where("cuda", 0, 1), overlaps=True)
    apart = disjoint(threads, len(cores))
    return LocalMeter(Where("cpu", 0, threads, cores[-threads:] if apart else ()), overlaps=apart)


def disjoint(threads: int, cores: int) -> bool:
    """Whether measuring gets cores of its own: only where building keeps most of them. On two cores taking turns gives
    more trials, since both then build, and better times, since nobody else uses the memory."""
    return cores - threads >= max(3, 2 * threads)


def builders_beside(overlaps: bool, kind: str, threads: int, cores: int) -> int:
    if not overlaps:
        return cores
    taken = threads if kind == "llvm" else 1
    return max(1, cores - taken - 1)


def _run(
    tasks: List[TuningTask],
    target: Target,
    spelled: str,
    asked: Asked,
    log: Log,
    flow: Flow,
    count: int,
    overlaps: bool,
    say: Callable[[str], None],
) -> Outcome:
    journal = Journal(log, _job(asked, target), spelled)
    workloads = {one.task: one.workload for one in log.contents.of(records.Task)}
    for task in tasks:
        if task.hash not in workloads:
            workloads[task.hash] = generation.workload(task.module)
            journal.task(task, workloads[task.hash])
    known = search.of_log(log.contents.of(records.Trial))
    say(f"{len(tasks)} tasks, {sum(len(known.get(one.hash, {})) for one in tasks)} trials known")
    defaults = finals.measure_defaults(tasks, flow)
    for task, one in zip(tasks, defaults):
        if one.times_s:
            journal.default(task.hash, one.times_s)
    say(f"defaults measured after {journal.seconds():.0f} s")
    how = generation.How(asked.strategy, BATCH, os.cpu_count() or 1, asked.seed)
    model = generation.cost_model(asked.cost_model, how.threads, asked.seed)
    medians = [statistics.median(one.times_s) if one.times_s else None for one in defaults]
    searching = search.Search(
        tasks, medians, known, target.tvm, how, model, flow, journal, 2 * count if overlaps else 0
    )
    last = asked.max_seconds - min(FINALS_SHARE * asked.max_seconds, FINAL_S * len(tasks))
    searching.run(asked.trials, lambda: journal.seconds() >= last)
    say(f"{journal.trials} trials after {journal.seconds():.0f} s")
    verdicts = finals.compare(tasks, defaults, known, spelled, workloads, flow, journal)
    end = journal.end(flow.measuring_s)
    return Outcome(verdicts, end, journal.reasons, asked.form, overlaps)


def _job(asked: Asked, target: Target) -> records.Job:
    return records.Job(
        job=secrets.token_hex(6),
        started_utc=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        trials=asked.trials,
        max_seconds=asked.max_seconds,
        seed=asked.seed,
        strategy=asked.strategy,
        cost_model=asked.cost_model,
        threads=asked.threads,
        machine=_machine(target),
        form=asked.form,
    )


def _machine(target: Target) -> str:
    device = _tvm_target.cuda_device() if target.kind == "cuda" else None
    return device.name if device is not None else cpu.model()


def estimated_s(verdicts: List[finals.Verdict]) -> Tuple[float, float]:
    """The model's time as the sum of its tasks', by default schedules and with what was kept."""
    pairs = [(one.task.weight, one.default_ns, one.tuned_ns if one.kept else one.default_ns) for one in verdicts]
    sums = [sum(one[0] * statistics.median(one[side]) for one in pairs if one[side]) for side in (1, 2)]
    return sums[0] / 1e9, sums[1] / 1e9
