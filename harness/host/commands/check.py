"""`check`: everything a change must pass."""

import click

from harness.host import develop


@click.command("check")
def command() -> int:
    """Lint, types and tests, in that order; the first that fails decides.

    \b
    python -m harness check
    """
    return develop.lint(False) or develop.types() or develop.test(())
