"""`history`: a measure over all runs, and whether the newest of them got slower."""

import math
from typing import Any, List

import click
import msgspec

from harness import upgrades
from harness.errors import PlanError
from harness.host import options
from harness.host.history import page, plot
from harness.host.history.ask import VARIABLES, ask
from harness.host.history.judge import regressions
from harness.host.printable import printable
from harness.host.progress import Progress

WHICH: List[options.Decorator] = [
    options.option("--model", type=options.Words(), help="Only these models, like yolov5n@320."),
    options.option("--backends", type=options.Words(), help="Only these backends; without, all that compute."),
    options.option("--precisions", type=options.Words(), help="Only these precisions."),
    options.option("--threads", type=options.ThreadCounts(), help="Only so many threads; all = what was allowed."),
    options.option("--board", type=options.Words(), help="Only these boards."),
    options.option(
        "--threshold", type=click.FloatRange(0), default=0.02, show_default=True, help="Slower by less is not slower."
    ),
    click.option("--json", "as_json", is_flag=True, help="For programs."),
]


@click.command("history")
@options.all_of(WHICH, options.TALK, options.FOLDERS)
def command(**given: Any) -> int:
    """Follows every experiment through all runs, and writes results/history.md and history.svg.

    Each run is held against the earlier ones under the same conditions; where the machine's state changed, a border is
    drawn and nothing is compared across it. Ends with 1 only when the newest run of an experiment is slower beyond its
    95 % interval and the threshold.

    \b
    python -m harness history --model yolov5s --backends tvm,onnxruntime
    make history MODEL=yolov5s BACKENDS=tvm,onnxruntime
    """
    if math.isnan(given["threshold"]):  # which nothing is slower than
        raise PlanError("THRESHOLD: nan is no threshold; give a share, like 0.02")
    progress, results = Progress(given["quiet"], given["verbose"]), given["results"]
    wanted = {column: given[variable.lower()] for column, variable in VARIABLES.items()}
    found = ask(results, wanted, given["threshold"], progress.line)
    for text in found.damage:
        progress.line(f"history: left out: {text}")
    picture, pictured = plot.draw(found.series)
    written = []
    try:
        for name, data in ((page.PLOT, picture), (page.PAGE, page.page(found, given["threshold"], pictured).encode())):
            upgrades.write_bytes(results / name, data)
            written.append(results / name)
    except OSError as error:
        progress.line(f"history: {results} cannot be written ({error.strerror}): there is no {page.PAGE}")
    if given["as_json"]:
        said = page.plain(found, given["threshold"])
        click.echo(msgspec.json.format(msgspec.json.encode(said), indent=1).decode())
    else:
        click.echo(page.terminal(found))
        for text in page.sentences(found, given["threshold"]):
            click.echo(printable(text))
        for path in written:
            click.echo(f"written: {path}")
    return 1 if regressions(found) else 0
