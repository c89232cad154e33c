"""`clean-engines`: removes built engines, after asking."""

from typing import Any

import click

from harness.host import lock, options, removal
from harness.host.commands.clean_results import YES


@click.command("clean-engines")
@options.all_of(YES, options.FOLDERS)
def command(**given: Any) -> int:
    """Removes every engine, and what builders learned, after asking; the next bench builds what it needs.

    \b
    python -m harness clean-engines
    """
    with lock.measuring(given["results"]):
        engines = given["results"] / "engines"
        folders = sorted(path for path in engines.glob("*") if path.is_dir())
        return removal.remove(folders, "engines", given["yes"], also=sorted(engines.glob("*.cache")))
