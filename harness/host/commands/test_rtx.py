"""`test-rtx`: the tests that parse and build with TensorRT-RTX."""

from typing import Tuple

import click

from harness.host import develop


@click.command("test-rtx", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: Tuple[str, ...]) -> int:
    """Runs the tests that need TensorRT-RTX (no GPU), which `make test-rtx` installs; further words go to pytest.

    \b
    make test-rtx
    .venv/3.13-rtx/bin/python -m harness test-rtx -k int8
    """
    return develop.test_in_a_row(["-m", "rtx", "tests/rtx", *arguments])
