"""`unlock`: sets a Jetson's clocks and power mode back to what they were before `lock`."""

from typing import Any

import click

from harness.host import options
from harness.host.commands.clean_results import YES
from harness.host.commands.lock import agreed, show


@click.command("unlock")
@options.all_of(YES, options.FOLDERS)
def command(**given: Any) -> int:
    """Says what it will run to set back what `lock` has changed, and runs that after asking. Needs root.

    \b
    sudo make unlock
    """
    from harness.host.clock_lock import ClockLock

    lock = ClockLock(given["results"])
    steps = lock.steps_to_unlock()
    show(lock.now.words())
    if not steps:
        lock.unlock([])
        click.echo("nothing is locked: nothing to run")
        return 0
    show([f"will run    {step}" for step in steps])
    lock.check_rights(steps, "make unlock")
    if not agreed(given["yes"]):
        return 1
    show(lock.unlock(steps).words())
    click.echo("unlocked")
    return 0
