"""`doctor`: what this machine offers, and what it lacks."""

from typing import Any

import click

from harness.host import doctor, options


@click.command("doctor")
@options.all_of(options.FOLDERS)
def command(**given: Any) -> int:
    """Shows interpreter, runtimes, linker, disk and CPU governor, each with what to do about it.

    \b
    python -m harness doctor
    """
    findings = doctor.findings(given["results"])
    for finding in findings:
        click.echo(f"{finding.state:<5} {finding.name:<14} {finding.text}")
    return 1 if any(finding.state == "bad" for finding in findings) else 0
