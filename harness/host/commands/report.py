"""`report`: renders a run."""

from typing import Any

import click

from harness.host import options, runs
from harness.host.report import write


@click.command("report")
@options.all_of(
    [options.option("--run", help="Which run; the newest where none is named.", metavar="NAME")], options.FOLDERS
)
def command(**given: Any) -> int:
    """Renders a run as Markdown with a plot, and prints its headline.

    \b
    python -m harness report
    python -m harness report --run 20261123T101500Z-yolov5s-1a2b3c
    """
    report = write(runs.find(given["results"], given["run"]))
    click.echo(f"report: {report.path}")
    click.echo(report.headline)
    return 0
