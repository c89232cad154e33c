"""`doctor`: what boards offer, what they lack, and what cures it."""

from typing import Any

import click
import msgspec

from harness.host import options
from harness.host.printable import printable


@click.command("doctor")
@options.all_of(options.WHERE, options.FOLDERS)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(**given: Any) -> int:
    """Looks at interpreter, Docker, GPU access, memory, clocks and runtimes; each with what to do about it.

    Ends with 1 where something will not work. Nothing is pulled or built, and nothing that is measured is disturbed;
    what a crash left on a board is cleared, as whenever one is used.

    \b
    python -m harness doctor
    python -m harness doctor --board xavier-lab --jetpack 5.1.2
    python -m harness doctor --json
    """
    from harness.host import doctor

    found = [doctor.examine(name, given["jetpack"], given["results"]) for name in given["board"]]
    if given["as_json"]:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1).decode())
    else:
        for one in found:
            if len(found) > 1:
                click.echo(f"board {one.board}")
            for finding in one.findings:
                click.echo(printable(f"{finding.state:<7} {finding.name:<16} {finding.text}"))
                if finding.cure:
                    click.echo(f"{'':<7} {'':<16} cure: {finding.cure}")
    return 1 if any(finding.state == doctor.PROBLEM for one in found for finding in one.findings) else 0
