"""`models`: makes models ready and lists them."""

from typing import Any

import click

from harness.host import options
from harness.host.models import prepare
from harness.host.progress import Progress

WANTED = [
    options.option("--model", type=options.Words(), help="Only these, like yolov5n@320."),
    options.option("--shapes", type=options.Shapes(), help="Sizes of a file's inputs, like images:1x3x640x640."),
    options.option("--batch", type=options.Counts(), help="Batch sizes; 1 where none is named."),
]


@click.command("models")
@options.all_of(WANTED, options.TALK, options.FOLDERS)
def command(**given: Any) -> int:
    """Generates or fetches every model (or those named), and lists them.

    \b
    python -m harness models
    python -m harness models --model yolov5n@320 --batch 1,4
    """
    progress = Progress(given["quiet"], given["verbose"])
    known = prepare.describe(given["models_dir"])
    wanted = given["model"] or [one.name for one in known if one.ready or not one.published]
    for reference in wanted:
        for batch in given["batch"] or [1]:
            with progress.step(f"model {reference}, batch {batch}"):
                model = prepare.prepare(given["models_dir"], reference, batch, given["shapes"])
            manifest = model.manifest
            click.echo(
                f"{reference:<18} batch {batch}  {model.path.stat().st_size / 1e6:6.1f} MB  {manifest.description}"
            )
            click.echo(
                f"{'':<18} weights {manifest.weights}, {manifest.licence}, sha256 {model.sha256[:16]}  {model.path}"
            )
    if not given["model"]:
        for one in known:
            if one.name not in wanted:
                click.echo(f"{one.name:<18} not fetched: {one.source} ({one.licence})")
                click.echo(f"{'':<18} make models MODEL={one.name} fetches it")
    return 0
