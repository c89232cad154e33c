"""`lock`: holds a Jetson's clocks still, in the power mode that is asked for."""

import sys
from typing import Any, List

import click

from harness.errors import PlanError
from harness.host import options
from harness.host.commands.clean_results import YES

MODE = [options.option("--mode", help="Power mode by number or name; without it the mode stays.", metavar="MODE")]


@click.command("lock")
@options.all_of(MODE, YES, options.FOLDERS)
def command(**given: Any) -> int:
    """Shows a Jetson's power mode and clocks, says what it will run to lock them, and runs that after asking.

    Needs root to set anything. `unlock` sets back what was. On another machine it says what to do instead.

    \b
    python -m harness lock
    sudo make lock MODE=MAXN
    """
    from harness.host.clock_lock import ClockLock

    lock = ClockLock(given["results"])
    steps = lock.steps_to_lock(given["mode"])
    show(lock.now.words())
    if not steps:
        click.echo("locked already: nothing to run")
        return 0
    show([f"will run    {step}" for step in steps])
    lock.check_rights(steps, "make lock" + (f" MODE={given['mode']}" if given["mode"] else ""))
    if not agreed(given["yes"]):
        return 1
    show(lock.lock(steps).words())
    click.echo("locked; make unlock sets back what was")
    return 0


def show(lines: List[str]) -> None:
    for line in lines:
        click.echo(line)


def agreed(yes: bool) -> bool:
    """Whether the user wants it run; PlanError where nobody is there to ask."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise PlanError("nobody is there to ask; YES=1 runs this without asking")
    if click.confirm("run this?", default=False):
        return True
    click.echo("nothing was changed")
    return False
