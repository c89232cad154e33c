"""`schema`: what a program may expect in results."""

import click
import msgspec

from harness.host import json_schema


@click.command("schema")
def command() -> int:
    """Prints the JSON Schema (draft 2020-12) of every stored record.

    \b
    python -m harness schema > harness.schema.json
    """
    click.echo(msgspec.json.format(msgspec.json.encode(json_schema.schema()), indent=1).decode())
    return 0
