"""`demo`: the whole job, small."""

from typing import Any

import click

from harness.host import dry_run, options
from harness.host.bench import bench as measure
from harness.host.boards import opened
from harness.host.commands.bench import code
from harness.host.progress import Progress
from harness.host.report import write
from harness.host.request import requested


@click.command("demo")
@options.all_of(options.WHAT, options.HOW, options.REPORT, options.TALK, options.FOLDERS)
def command(**given: Any) -> int:
    """Builds two small engines of each backend, measures them for a few minutes, and prints a report's headline.

    \b
    python -m harness demo
    """
    request, progress = requested(given, "demo"), Progress(given["quiet"], given["verbose"])
    with opened(request.boards, request.jetpack, request.results, progress) as boards:
        if given["dry_run"]:
            click.echo(dry_run.text(request, boards))
            return 0
        outcome = measure(request, boards, progress)
    report = write(outcome.folder, given["report_lang"])
    click.echo(f"page: {report.page}")
    click.echo(f"report: {report.path}")
    click.echo(report.headline)
    return code(outcome)
