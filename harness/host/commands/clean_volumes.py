"""`clean-volumes`: removes what the harness keeps on boards, after asking."""

import contextlib
from typing import List

import click

from harness.host import options, removal
from harness.host.boards import daemon_of
from harness.host.commands.clean_results import YES


@click.command("clean-volumes")
@options.all_of(YES, options.WHERE[:1])
def command(yes: bool, board: List[str]) -> int:
    """Removes the harness's own volumes on boards: copies of engines and models. The originals in results/ stay.

    \b
    python -m harness clean-volumes --board xavier-lab
    """
    from harness.host.containers import volumes

    worst = 0
    for name in board:
        with contextlib.closing(daemon_of(name)) as daemon:
            found = volumes.ours(daemon)
            text = f"{len(found)} volumes on board {name}: {', '.join(found)}"
            if not found:
                click.echo(f"there are no volumes on board {name}")
            elif removal.agreed(text, yes):
                volumes.remove(daemon, found)
                click.echo(f"removed {text}")
            else:
                worst = 1
    return worst
