"""`test-gpu`: the tests that need a CUDA device."""

from typing import Tuple

import click

from harness.host import develop


@click.command("test-gpu", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: Tuple[str, ...]) -> int:
    """Runs the tests that need a CUDA device, and prints what they measured; further words go to pytest.

    \b
    python -m harness test-gpu
    python -m harness test-gpu --figures gpu.json -k "not tvm"
    """
    return develop.test_in_a_row(["-m", "gpu", "-rs", "tests/gpu", *arguments])
