"""`test`: the project's own tests."""

from typing import Tuple

import click

from harness.host import develop


@click.command("test", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: Tuple[str, ...]) -> int:
    """Runs the tests; further words go to pytest.

    \b
    python -m harness test
    python -m harness test -k ratio -x
    """
    return develop.test(arguments)
