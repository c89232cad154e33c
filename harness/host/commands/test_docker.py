"""`test-docker`: the tests that need a Docker engine."""

from typing import Tuple

import click

from harness.host import develop


@click.command("test-docker", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: Tuple[str, ...]) -> int:
    """Runs the tests that start a Docker engine of their own (as root); further words go to pytest.

    \b
    python -m harness test-docker
    python -m harness test-docker -k killed
    python -m harness test-docker -m stand_in    # JetPack's stages on bare Ubuntu, four minutes each
    """
    return develop.test_in_a_row(["-m", "docker and not stand_in", "tests/docker", *arguments])
