"""`make bench` as a story: survey, open a run or go on with one, lay the ground, measure cell by cell."""

import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple, Union

import msgspec

from harness import upgrades
from harness.host import estimates, groundwork, lock, runs, schedule
from harness.host.engines import EngineStore
from harness.host.groundwork import Ready
from harness.host.launch.ask import ask
from harness.host.progress import Progress
from harness.host.references import ReferenceStore
from harness.host.request import Request
from harness.host.resume import open_run
from harness.host.runs import Run
from harness.host.schedule import Cell
from harness.host.survey import Survey, survey
from harness.jobs import BenchJob, Failure
from harness.records import Experiment, Result


class Outcome(NamedTuple):
    folder: Path
    counts: Dict[str, int]
    """Cells by status, of the whole run."""


def bench(request: Request, progress: Progress) -> Outcome:
    with lock.measuring(request.results):
        found = survey(request.plan, request.board, request.models_dir, request.results, progress)
        references = groundwork.references(found, request.results, progress)
        folder, run = open_run(request, found, references)
        pending = _pending(folder, run, request.retry)
        experiments = [one for one in run.experiments if any(cell.slug() == one.slug() for cell, _ in pending)]
        ground = groundwork.ready(found, experiments, references, request.results, progress)
        for ready in ground.values():
            if isinstance(ready, Ready):
                upgrades.write(runs.engine_path(folder, run.board, ready.engine.key), ready.engine)
        _measure(request, found, folder, pending, len(runs.cells(run)), ground, progress)
        return Outcome(folder, counts(runs.ended(folder, run).results))


def counts(ended: Dict[Tuple[str, int], Result]) -> Dict[str, int]:
    found: Dict[str, int] = {}
    for result in ended.values():
        found[result.status] = found.get(result.status, 0) + 1
    return found


def _pending(folder: Path, run: Run, retry: Optional[str]) -> List[Cell]:
    """Cells without a result, in the schedule's order; a crashed one counts as such when it is to be retried."""
    ended = runs.ended(folder, run).results
    if retry is not None:
        ended = {cell: result for cell, result in ended.items() if result.status != retry}
    planned = schedule.order(run.experiments, run.plan.rounds, run.plan.seed)
    return [(experiment, number) for experiment, number in planned if (experiment.slug(), number) not in ended]


def _measure(
    request: Request,
    found: Survey,
    folder: Path,
    pending: List[Cell],
    planned: int,
    ground: "Dict[str, Union[Ready, Failure]]",
    progress: Progress,
) -> None:
    remaining = estimates.Estimates(request.results, request.plan)
    progress.begin(len(pending), planned)
    for index, (experiment, number) in enumerate(pending):
        left = remaining.total_s([cell for cell, _ in pending[index:]])
        with progress.cell(experiment, number, request.plan.rounds, left) as screen:
            start = time.monotonic()
            result = _cell(request, found, experiment, number, ground[experiment.slug()])
            runs.keep_crashed(runs.result_path(folder, experiment, number))
            upgrades.write(runs.result_path(folder, experiment, number), result)
            remaining.learn(experiment, time.monotonic() - start)
            screen.ended(result)


def _cell(
    request: Request, found: Survey, experiment: Experiment, number: int, ground: "Union[Ready, Failure]"
) -> Result:
    """Measures one cell in a fresh process; whatever happens to it, this is exactly one Result."""
    if isinstance(ground, Failure):
        return Result(experiment=experiment, round=number, status=ground.status, reason=ground.reason)
    tolerance, _ = found.model(experiment.build).tolerance(experiment.build.precision)
    job = BenchJob(
        experiment=experiment,
        round=number,
        engine_dir=str(EngineStore(request.results).folder(ground.ingredients)),
        ingredients=ground.ingredients,
        arrays=str(ReferenceStore(request.results).arrays(ground.reference)),
        reference=ground.reference,
        tolerance=tolerance,
    )
    start = time.monotonic()
    answer, _ = ask(request.results / ".work", "bench", job, Result, request.plan.worker_limit_s())
    elapsed = round(time.monotonic() - start, 3)
    if isinstance(answer, Failure):
        return Result(
            experiment=experiment,
            round=number,
            status=answer.status,
            reason=answer.reason,
            elapsed_s=elapsed,
            engine=ground.engine.key,
            variant=ground.engine.variant,
        )
    return msgspec.structs.replace(answer, elapsed_s=elapsed)
