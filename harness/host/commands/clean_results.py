"""`clean-results`: removes runs, after asking."""

from typing import Any

import click

from harness.host import lock, options, removal

YES = [options.option("--yes", is_flag=True, help="Do not ask.")]


@click.command("clean-results")
@options.all_of(YES, options.FOLDERS)
def command(**given: Any) -> int:
    """Removes every run but the example, after asking; engines, references and models stay.

    \b
    python -m harness clean-results
    """
    with lock.measuring(given["results"]):
        runs = sorted(path.parent for path in given["results"].glob("*/run.json") if path.parent.name != "example")
        return removal.remove(runs, "runs", given["yes"])
