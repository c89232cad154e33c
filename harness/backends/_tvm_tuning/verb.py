"""The verb `tune` as TVM does it: from the job's record to its answer."""

import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Optional, Tuple

from harness.backends import _tvm_build, _tvm_generation, _tvm_target
from harness.backends._contract import Telling
from harness.backends._tvm_target import Target
from harness.backends._tvm_tuning import generation, prepared
from harness.backends._tvm_tuning import job as jobs
from harness.backends._tvm_tuning.finals import Verdict
from harness.backends._tvm_tuning.fleet_meter import FleetMeter
from harness.errors import BuildError, HarnessError
from harness.jobs import AUTO, Stock, Tuned, TunedTask, TuneJob, TuneProgress
from harness.records import tuning as records
from harness.schedules import median
from harness.trials import Log


def tune(job: TuneJob, telling: Telling) -> Tuned:
    """Raises BuildError, Unsupported or StorageError."""
    module, target, began = _read(job)
    fleet = _fleet(job, target.kind)
    with Log.open(Path(job.log), job.header) as log:
        watch = jobs.Watch(lambda step: telling.told(_progress(step)), telling.stopped)
        outcome = jobs.tune(module, target, began, log, watch, fleet)
    end = outcome.end
    return Tuned(
        ended=outcome.ended,
        new_trials=end.trials,
        all_trials=outcome.known,
        invalid=end.invalid,
        timed_out=end.timed_out,
        crashed=end.crashed,
        seconds=end.seconds,
        measuring_share=min(1.0, end.measuring_seconds / end.seconds) if end.seconds else 0.0,
        tasks=[_task(one) for one in outcome.verdicts],
        curve=end.curve,
        said=[*log.contents.dropped, *outcome.said, *(fleet.said if fleet is not None else [])],
    )


def stock(job: TuneJob) -> Stock:
    """The same job by TVM's own tuner; raises BuildError or Unsupported."""
    from harness.backends._tvm_tuning import stock as stocks

    os.environ["TVM_NUM_THREADS"] = str(job.threads)
    trials, seconds = stocks.tune(*_read(job))
    return Stock(trials=trials, seconds=round(seconds, 3))


def _read(job: TuneJob) -> Tuple[Any, Target, records.Job]:
    """The model's graph, what it is tuned for, and the first line of the job."""
    for kind, asked, offered in (
        ("strategy", job.strategy, (AUTO, *generation.STRATEGIES)),
        ("cost model", job.cost_model, generation.COST_MODELS),
    ):
        if asked not in offered:
            raise BuildError(f"tvm: no {kind} {asked!r}; there are {', '.join(offered)}")
    if job.trials < 1:
        raise BuildError("tvm: tuning was asked for no trials; ask for at least one")
    try:
        target = _tvm_target.target(job.ingredients.build.target)
        if job.fleet is None:
            _tvm_target.check_here("what is to be tuned here", target.machine, target.kind, target.architecture)
        if target.kind == "cuda":
            _tvm_generation.generation().choose_compiler()
        module = _tvm_build.imported(Path(job.model), job.ingredients.build.precision)
    except HarnessError:
        raise
    except Exception as error:  # importer and compiler raise classes of many kinds
        name = Path(job.model).name
        raise BuildError(f"tvm cannot read {name}: {type(error).__name__}: {_tvm_build.first_line(error)}") from error
    began = records.Job(
        job=job.job,
        started_utc=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        trials=job.trials,
        max_seconds=job.max_seconds,
        seed=job.seed,
        strategy=_strategy(job.strategy, target.kind),
        cost_model=job.cost_model,
        threads=job.threads,
        machine=job.machine,
        form=prepared.default_form(target.kind),
    )
    return module, target, began


def _strategy(asked: str, kind: str) -> str:
    if asked == AUTO:
        return generation.default_strategy(kind)
    if asked == generation.GUIDED and kind != "cuda":
        raise BuildError(f"tvm: the strategy {asked} knows GPUs alone; STRATEGY={AUTO} takes what fits a CPU")
    return asked


def _fleet(job: TuneJob, kind: str) -> Optional[FleetMeter]:
    """None where this machine measures."""
    return None if job.fleet is None else FleetMeter(job.fleet, kind)


def _progress(step: jobs.Step) -> TuneProgress:
    return TuneProgress(
        doing=step.doing,
        seconds=round(step.seconds, 1),
        trials=step.trials,
        tasks=step.tasks,
        default_ns=None if step.default_s is None else step.default_s * 1e9,
        estimated_ns=None if step.estimated_s is None else step.estimated_s * 1e9,
    )


def _task(one: Verdict) -> TunedTask:
    return TunedTask(
        task=one.task.hash,
        name=one.task.name,
        weight=one.task.weight,
        trials=one.trials,
        default_ns=median(one.default_ns),
        best_ns=median(one.tuned_ns),
        kept=one.kept,
        why=one.why,
    )
