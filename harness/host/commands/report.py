"""`report`: renders a run."""

from typing import Any

import click

from harness.host import options, runs
from harness.host.report import write


@click.command("report")
@options.all_of(
    [options.option("--run", help="Which run; the newest where none is named.", metavar="NAME")],
    options.REPORT,
    options.FOLDERS,
)
def command(**given: Any) -> int:
    """Renders a run as Markdown and as one HTML file that needs no network, and prints its headline.

    \b
    python -m harness report
    python -m harness report --run 20261123T101500Z-yolov5s-1a2b3c
    python -m harness report --report-lang ko
    """
    report = write(runs.find(given["results"], given["run"]), given["report_lang"])
    click.echo(f"page: {report.page}")
    click.echo(f"report: {report.path}")
    click.echo(report.headline)
    return 0
