"""`crosscheck`: would NVIDIA's own program say the same?"""

from pathlib import Path
from typing import Any, List

import click
import msgspec

from harness.errors import LaunchError, PlanError
from harness.host import options, runs
from harness.host.progress import Progress

WHICH: List[options.Decorator] = [
    options.option("--run", help="Which run; the newest with TensorRT where none is named.", metavar="NAME"),
    options.option(
        "--times", type=click.Path(path_type=Path), help="Only read a file of trtexec's --exportTimes.", metavar="FILE"
    ),
    options.option("--drop", type=click.IntRange(0), default=0, help="Of such a file, leave out the first so many."),
    click.option("--json", "as_json", is_flag=True, help="For programs."),
]


@click.command("crosscheck")
@options.all_of(WHICH, options.TALK, options.FOLDERS)
def command(**given: Any) -> int:
    """Runs trtexec on the engines that a run measured, told to do the same, and holds its times against ours.

    Needs trtexec where the engines run. Ends with 1 where device times differ or trtexec failed, with 3 where nothing
    could be checked. With --times it needs neither run nor trtexec: it reads a file that was exported anywhere, and
    prints what trtexec prints of it, with our figures beside.

    \b
    python -m harness crosscheck
    python -m harness crosscheck --run 20261123T101500Z-yolov5s-1a2b3c
    make crosscheck TIMES=times.json
    """
    return _file(given) if given["times"] is not None else _run(given)


def _file(given: Any) -> int:
    from harness.host.crosscheck import exported, tables

    found, drop = exported.read(given["times"]), given["drop"]
    if drop >= len(found.queries):
        raise PlanError(f"DROP: {drop} of {len(found.queries)} queries leave none")
    kept = found.last(len(found.queries) - drop)
    if given["as_json"]:
        click.echo(msgspec.json.format(msgspec.json.encode(tables.figures(kept)), indent=1).decode())
    else:
        click.echo(tables.summary(kept, given["times"].name, drop))
    return 0


def _run(given: Any) -> int:
    from harness.host.crosscheck import check, tables

    if given["drop"]:
        raise PlanError("DROP is for a file that TIMES names; of a run's own crosscheck the plan's warm-up is left out")
    folder = check.find(given["results"], given["run"])
    found = check.crosscheck(folder, given["results"], Progress(given["quiet"], given["verbose"]))
    if given["as_json"]:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1).decode())
    else:
        click.echo(f"run: {folder.name}\n")
        click.echo("\n\n".join(tables.crosscheck(one) for one in found))
        click.echo(f"\nkept as {runs.crosscheck_path(folder, found[0].experiment).name} beside the run's cells")
    if all(one.status == "skipped" for one in found):
        raise LaunchError(f"nothing was checked: {found[0].reason}")
    return 1 if any(one.differs or one.status in ("failed", "crashed") for one in found) else 0
