"""`bench`: measures what a plan names."""

from typing import Any

import click

from harness.host import dry_run, options
from harness.host.bench import Outcome
from harness.host.bench import bench as measure
from harness.host.boards import opened
from harness.host.progress import Progress
from harness.host.request import requested


@click.command("bench")
@options.all_of(options.WHAT, options.HOW, options.TALK, options.FOLDERS)
def command(**given: Any) -> int:
    """Measures a plan: engines first, then every cell in a fresh process, round by round in shuffled order.

    Goes on with the newest unfinished run that matches; otherwise starts one.

    \b
    python -m harness bench
    python -m harness bench --model yolov5n@320 --backends onnxruntime,tvm --rounds 3
    python -m harness bench --plan demo --dry-run
    """
    request, progress = requested(given, "default"), Progress(given["quiet"], given["verbose"])
    with opened(request.boards, request.jetpack, request.results, progress) as boards:
        if given["dry_run"]:
            click.echo(dry_run.text(request, boards))
            return 0
        outcome = measure(request, boards, progress)
    click.echo(f"run: {outcome.folder}  ({ended(outcome)})")
    for sentence in outcome.said:
        click.echo(sentence)
    click.echo("next: make report")
    return code(outcome)


def ended(outcome: Outcome) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(outcome.counts.items()))


def code(outcome: Outcome) -> int:
    """1 when any cell failed or crashed; skipped ones are nobody's fault."""
    return 1 if outcome.counts.get("failed") or outcome.counts.get("crashed") else 0
