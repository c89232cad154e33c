"""`test`: the project's own tests."""

from typing import Tuple

import click

from harness.host import develop


@click.command("test", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: Tuple[str, ...]) -> int:
    """Runs the tests, as many side by side as there are processors; further words go to pytest.

    \b
    python -m harness test
    python -m harness test -k ratio -x
    python -m harness test -n 0 --pdb    # in a row
    """
    return develop.test(arguments)
