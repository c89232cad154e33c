"""`build-engines`: builds what a plan needs and is not there yet."""

import functools
from typing import Any

import click

from harness.host import groundwork, lock, options, runs, survey
from harness.host.board import Board
from harness.host.boards import opened
from harness.host.printable import printable
from harness.host.progress import Progress, engine_label
from harness.host.request import Request, requested
from harness.jobs import Failure


@click.command("build-engines")
@options.all_of(options.WHAT, options.TALK, options.FOLDERS)
def command(**given: Any) -> int:
    """Turns a plan's models into engines, each under results/engines/<key>/ with its record; rebuilds nothing.

    \b
    python -m harness build-engines
    python -m harness build-engines --model yolov5n@320 --backends tvm
    """
    request = requested(given, "default")
    progress = Progress(given["quiet"], verbose=True)
    worst = 0
    with lock.measuring(request.results), opened(request.boards, request.jetpack, request.results, progress) as boards:
        for board in boards:
            worst = max(worst, _build(request, board, progress))
    return worst


def _build(request: Request, board: Board, progress: Progress) -> int:
    with board.held(functools.partial(runs.take, request.results)):
        found = survey.survey(request.plan, board, request.models_dir, request.results, progress, trust_known=True)
        engines = groundwork.build_engines(found, found.experiments, request.results, progress)
    worst = 0
    where = "" if len(request.boards) == 1 else f"{board.name}: "
    for options_, engine in engines.items():
        name = f"{where}{engine_label(options_)}"
        if isinstance(engine, Failure):
            click.echo(printable(f"{name}: {engine.status}: {engine.reason}"))
            worst = worst if engine.status == "skipped" else 1
        else:
            click.echo(f"{name}: {engine.key}, built in {engine.build_seconds:.1f} s")
    return worst
