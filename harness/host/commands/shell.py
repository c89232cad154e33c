"""`shell`: a shell in the environment that workers measure in."""

import functools
from typing import Any, List

import click

from harness.errors import PlanError
from harness.host import lock, options, runs
from harness.host.boards import opened
from harness.host.progress import Progress


@click.command("shell")
@options.all_of(options.WHERE, options.FOLDERS)
def command(**given: Any) -> int:
    """Opens a shell in a worker's container: same image, limits, engines, models and code; no network.

    Nobody can measure on the board meanwhile. Words on standard input are run as a script.

    \b
    python -m harness shell --jetpack 5.1.2
    python -m harness shell --board xavier-lab
    """
    from harness.host.containers.board import ContainerBoard

    names: List[str] = given["board"]
    if len(names) != 1:
        raise PlanError("BOARD: a shell is opened on one board at a time")
    results = given["results"]
    with opened(names, given["jetpack"], results, Progress()) as boards:
        board = boards[0]
        if not isinstance(board, ContainerBoard):
            raise PlanError("JETPACK: workers run without a container here; name a pin, like JETPACK=cpu")
        with lock.measuring(results), board.held(functools.partial(runs.take, results)):
            return board.shell()
