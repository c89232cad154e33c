"""`compare`: did anything get slower between two runs?"""

import math
from pathlib import Path
from typing import Any, List, Optional

import click
import msgspec

from harness.errors import PlanError
from harness.host import compare as comparing
from harness.host import options, runs
from harness.host.report.table import markdown

WHICH: List[options.Decorator] = [
    options.option("--old", help="The run to compare with: name or folder.", metavar="RUN"),
    options.option("--new", help="The run to judge; the newest where none is named.", metavar="RUN"),
    options.option(
        "--threshold", type=click.FloatRange(0), default=0.02, show_default=True, help="Slower by less is not slower."
    ),
    click.option("--json", "as_json", is_flag=True, help="For programs."),
]


@click.command("compare")
@options.all_of(WHICH, options.FOLDERS)
def command(**given: Any) -> int:
    """Compares two runs, which did not meet the same minutes: unpaired, on the round medians of logs (Welch).

    Ends with 1 only when something is slower beyond its 95 % interval and the threshold.

    \b
    python -m harness compare --old 20261120T101500Z-yolov5s-1a2b3c
    make compare OLD=results/example NEW=20261123T101500Z-yolov5s-4d5e6f
    """
    if given["old"] is None:
        raise PlanError("OLD is not set: name the run to compare with, like make compare OLD=<run> [NEW=<run>]")
    if math.isnan(given["threshold"]):  # which nothing is slower than
        raise PlanError("THRESHOLD: nan is no threshold; give a share, like 0.02")
    old, new = (runs.load_one(_folder(given["results"], name)) for name in (given["old"], given["new"]))
    found = comparing.compare(old, new)
    slower = comparing.regressions(found, given["threshold"])
    table = comparing.table(found, given["threshold"])
    if given["as_json"]:
        headers = [header.rstrip(":") for header in table.headers]
        rows = [dict(zip(headers, row)) for row in table.rows]
        said = {"old": old.run.name, "new": new.run.name, "notes": found.notes, "rows": rows, "slower": len(slower)}
        click.echo(msgspec.json.format(msgspec.json.encode(said), indent=1).decode())
    else:
        click.echo(f"old: {old.run.name}\nnew: {new.run.name}")
        for note in found.notes:
            click.echo(f"note: {note}")
        click.echo(markdown(table))
        click.echo(f"{len(slower)} slower beyond interval and {given['threshold']:.0%}")
    return 1 if slower else 0


def _folder(results: Path, name: Optional[str]) -> Path:
    """A run by name, or by the path of its folder."""
    if name is not None and (Path(name) / "run.json").is_file():
        return Path(name)
    return runs.find(results, name)
