"""`lint`: style and likely mistakes."""

import click

from harness.host import develop


@click.command("lint")
@click.option("--fix", is_flag=True, help="Mend what can be mended, and format.")
def command(fix: bool) -> int:
    """Checks style, format and likely mistakes.

    \b
    python -m harness lint
    python -m harness lint --fix
    """
    return develop.lint(fix)
