"""`DRY_RUN=1`: what a bench would do, without doing it."""

import functools
from typing import List, Sequence

from harness.host import lock, runs, schedule
from harness.host import plan as plans
from harness.host.board import Board
from harness.host.estimates import Estimates
from harness.host.models import prepare
from harness.host.progress import duration, label
from harness.host.request import Request
from harness.host.survey import experiments_on


def text(request: Request, boards: Sequence[Board]) -> str:
    """Raises what the bench would, where a model is not known."""
    for reference in plans.models(request.plan).values():
        prepare.find(request.models_dir, reference)
    with lock.measuring(request.results):
        return "\n".join(line for board in boards for line in _of(request, board))


def _of(request: Request, board: Board) -> List[str]:
    """Nothing is pulled or built for it, and no cell is ended that a lost connection left measuring."""
    if not board.ready():
        why = "its image is not there yet, so no runtime can be asked; make build-engines builds it"
    elif board.busy():
        why = "a cell is measured there now; wait, or fetch its result: make pull"
    else:
        with board.held(functools.partial(runs.take, request.results)):
            return _lines(request, board)
    return [f"board {board.name}: {why}", "nothing was measured: DRY_RUN is set"]


def _lines(request: Request, board: Board) -> List[str]:
    """Cells in their order, and the time they take; runtimes are asked for their versions, nothing else happens."""
    machine, experiments = experiments_on(request.plan, board, request.results)
    cells = schedule.order(experiments, request.plan.rounds, request.plan.seed)
    estimates = Estimates(request.results, request.plan)
    lines = [f"{len(cells)} cells: {len(experiments)} experiments in {request.plan.rounds} rounds"]
    runnable = []
    for position, (experiment, number) in enumerate(cells, 1):
        facts = machine.backends[experiment.build.backend]
        if facts.available:
            runnable.append(experiment)
            seconds, known = estimates.cell_s(experiment)
            about = f"{'about' if known else 'at most about'} {duration(seconds)}"
        else:
            about = f"skipped: {facts.reason}"
        lines.append(f"{position:4}  round {number}  {label(experiment)}  {about}")
    seconds, bounded = estimates.total_s(runnable)
    lines.append(f"estimated time: {'at most ' if bounded else ''}about {duration(seconds)}, without building engines")
    if bounded:
        lines.append(f"({bounded} cells have no earlier run to go by: their whole budget is counted)")
    if request.plan.until is not None:
        lines.append(f"UNTIL={request.plan.until.words()}: these rounds are a pilot; how many follow is said after it")
    lines.append("nothing was measured: DRY_RUN is set")
    return lines
