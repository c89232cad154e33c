"""`pull`: fetches from boards what a lost connection left there."""

from typing import Any

import click

from harness.host import lock, options, runs
from harness.host.boards import opened
from harness.host.progress import Progress


@click.command("pull")
@options.all_of(options.WHERE, options.TALK, options.FOLDERS)
def command(**given: Any) -> int:
    """Fetches results of cells that ended on a board after the connection to it was lost.

    Waits for a cell that is still measuring. Results go into the runs that planned them, where `make bench` goes on.

    \b
    python -m harness pull --board xavier-lab
    """
    from harness.host.containers.board import ContainerBoard

    progress = Progress(given["quiet"], given["verbose"])
    taken = 0
    with lock.measuring(given["results"]):

        def take(run: str, result: Any, read: Any) -> None:
            nonlocal taken
            taken += runs.take(given["results"], run, result, read)

        with opened(given["board"], given["jetpack"], given["results"], progress) as boards:
            for board in boards:
                if isinstance(board, ContainerBoard):
                    with board.held(take, patient=True):
                        pass
    click.echo(f"results fetched: {taken}")
    return 0
