"""`make bench` as a story: survey, open a run or go on with one, lay the ground, measure cell by cell.

Boards of one run are measured side by side, a thread each; the first trouble of any stops the others after their cell.
"""

import concurrent.futures
import contextlib
import functools
import threading
import time
from pathlib import Path
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Union

import msgspec

from harness import upgrades
from harness.host import estimates, groundwork, lock, readings, runs, schedule
from harness.host.board import Board
from harness.host.engines import EngineStore
from harness.host.groundwork import Ready
from harness.host.launch.ask import ask_with
from harness.host.progress import Progress
from harness.host.references import ReferenceStore
from harness.host.request import Request
from harness.host.resume import open_run
from harness.host.runs import OnBoard, Run
from harness.host.schedule import Cell
from harness.host.survey import Survey, survey
from harness.host.tuning import logs, proof
from harness.host.tuning.account import of
from harness.jobs import BenchJob, Failure
from harness.records import Experiment, Reference, Result


class Outcome(NamedTuple):
    folder: Path
    counts: Dict[str, int]
    """Cells by status, of the whole run."""
    said: List[str] = []
    """Whether intervals are as narrow as was asked for, where that was asked."""


class Part(NamedTuple):
    """What one board is asked to measure in a run."""

    survey: Survey
    references: "Dict[str, Union[Reference, Failure]]"
    folder: Path
    run: Run
    on: OnBoard

    def of(self, run: Run) -> "Part":
        """The same after its run has grown."""
        return self._replace(run=run, on=run.board(self.on.board))


def bench(request: Request, boards: Sequence[Board], progress: Progress) -> Outcome:
    with lock.measuring(request.results), contextlib.ExitStack() as stack:
        for board in boards:
            stack.enter_context(board.held(functools.partial(runs.take, request.results)))
        surveys = [survey(request.plan, one, request.models_dir, request.results, progress) for one in boards]
        references = [groundwork.references(one, request.results, progress) for one in surveys]
        folder, run = open_run(request, surveys, references)
        parts = [Part(one, made, folder, run, run.board(one.board.name)) for one, made in zip(surveys, references)]
        _side_by_side(request, parts, progress)
        said: List[str] = []
        if run.plan.until is not None:
            from harness.host import until  # what it computes with takes a second to import

            grown = until.grow(folder, run, progress)
            if grown is not run:
                run, parts = grown, [part.of(grown) for part in parts]
                _side_by_side(request, parts, progress)
            said = until.ended(folder)
        return Outcome(folder, counts(runs.ended(folder, run, on).results for on in run.on), said)


def counts(boards: "Iterable[Dict[Tuple[str, int], Result]]") -> Dict[str, int]:
    found: Dict[str, int] = {}
    for ended in boards:
        for result in ended.values():
            found[result.status] = found.get(result.status, 0) + 1
    return found


def _side_by_side(request: Request, parts: List[Part], progress: Progress) -> None:
    stop = threading.Event()
    if len(parts) == 1:
        _board(request, parts[0], progress, stop)
        return
    with concurrent.futures.ThreadPoolExecutor(len(parts)) as pool:
        ahead = [pool.submit(_board, request, one, progress.of_board(one.on.board), stop) for one in parts]
        try:
            for one in concurrent.futures.as_completed(ahead):
                one.result()
        finally:
            stop.set()


def _board(request: Request, part: Part, progress: Progress, stop: threading.Event) -> None:
    pending = _pending(part, request.retry)
    experiments = [one for one in part.on.experiments if any(cell.slug() == one.slug() for cell, _ in pending)]
    ground = groundwork.ready(part.survey, experiments, part.references, request.results, progress)
    for ready in ground.values():
        if isinstance(ready, Ready):
            upgrades.write(runs.engine_path(part.folder, part.on.board, ready.engine.key), ready.engine)
    _keep_tunings(request, part, experiments, ground)
    remaining = estimates.Estimates(request.results, request.plan)
    progress.begin(len(pending), len(runs.cells(part.run, part.on)))
    for index, (experiment, number) in enumerate(pending):
        if stop.is_set():
            return
        left = remaining.total_s([cell for cell, _ in pending[index:]])
        with progress.cell(experiment, number, runs.rounds(part.run, part.on), left) as screen:
            start = time.monotonic()
            result = _cell(request, part, experiment, number, ground[experiment.slug()])
            runs.keep_crashed(runs.result_path(part.folder, experiment, number))
            upgrades.write(runs.result_path(part.folder, experiment, number), result)
            remaining.learn(experiment, time.monotonic() - start)
            screen.ended(result)


def _keep_tunings(
    request: Request, part: Part, experiments: Sequence[Experiment], ground: "Dict[str, Union[Ready, Failure]]"
) -> None:
    """What stands behind the run's tuned engines, so that its report needs nothing else."""
    store = EngineStore(request.results)
    for experiment in experiments:
        ready, records = ground[experiment.slug()], part.survey.tunings.get(experiment.build)
        if isinstance(ready, Ready) and isinstance(records, logs.Found):
            account = of(ready.engine.key, records, proof.of(store, ready.ingredients))
            upgrades.write(runs.tuning_path(part.folder, part.on.board, ready.engine.key), account)


def _pending(part: Part, retry: Optional[str]) -> List[Cell]:
    """Cells without a result, in the schedule's order; a crashed one counts as such when it is to be retried."""
    run, on = part.run, part.on
    ended = runs.ended(part.folder, run, on).results
    if retry is not None:
        ended = {cell: result for cell, result in ended.items() if result.status != retry}
    planned = schedule.order(on.experiments, runs.rounds(run, on), run.plan.seed)
    return [(experiment, number) for experiment, number in planned if (experiment.slug(), number) not in ended]


def _cell(request: Request, part: Part, experiment: Experiment, number: int, ground: "Union[Ready, Failure]") -> Result:
    """Measures one cell in a fresh process; whatever happens to it, this is exactly one Result."""
    if isinstance(ground, Failure):
        return Result(experiment=experiment, round=number, status=ground.status, reason=ground.reason)
    board = part.survey.board
    tolerance, _ = part.survey.model(experiment.build).tolerance(experiment.build.precision)
    engine_dir = board.engine(EngineStore(request.results).place(ground.engine))
    arrays = board.arrays(ReferenceStore(request.results).arrays(ground.reference))
    start = time.monotonic()
    with board.launch({"run": part.run.name, "cell": experiment.slug(), "round": str(number)}) as launcher:
        job = BenchJob(
            experiment=experiment,
            round=number,
            engine_dir=engine_dir,
            ingredients=ground.ingredients,
            arrays=arrays,
            reference=ground.reference,
            tolerance=tolerance,
            sensors=launcher.place(readings.FOLDER),
        )
        answer, _ = ask_with(launcher, "bench", job, Result, request.plan.worker_limit_s())
        if isinstance(answer, Result) and (answer.experiment, answer.round) != (experiment, number):
            answer = Failure(status="crashed", reason="the answer was refused: it is the result of another cell")
        if isinstance(answer, Result):
            answer = readings.keep(answer, launcher.get, runs.result_path(part.folder, experiment, number).parent)
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
