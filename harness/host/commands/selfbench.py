"""`selfbench`: measures the harness itself against its bars."""

from datetime import datetime, timezone
from typing import Any, Callable, Dict, List, Union

import click

from harness import upgrades
from harness.errors import LaunchError, PlanError
from harness.host import machines, options
from harness.host.board import LocalBoard
from harness.host.progress import Progress
from harness.host.report.table import Table, markdown
from harness.host.selfbench import (
    clocks,
    commands,
    contained,
    coverage,
    delayed,
    fleet,
    floor,
    resampled,
    sensing,
    tuning_gain,
    tuning_kills,
    tuning_rate,
    twins,
)
from harness.host.selfbench.figure import Figure, Selfbench
from harness.host.selfbench.ground import Place

PARTS: Dict[str, Callable[[Place], Union[Figure, List[Figure]]]] = {
    "null": floor.steps,
    "tvm": lambda place: clocks.clock(place, "tvm"),
    "onnxruntime": lambda place: clocks.clock(place, "onnxruntime"),
    "start": floor.starts,
    "build": commands.nothing_to_build,
    "report": commands.large_report,
    "history": commands.long_history,
    "sensors": sensing.sensing,
    "container": contained.contained,
    "twins": twins.twins,
    "resampled": resampled.resampled,
    "power": resampled.power,
    "coverage": coverage.coverage,
    "delayed": delayed.delayed,
    "fleet": fleet.fleet,
    "tuning-rate": tuning_rate.rate,
    "tuning-gain": tuning_gain.gain,
    "tuning-kills": tuning_kills.kills,
}
GROUPS = {
    "statistics": ["twins", "resampled", "power", "coverage", "delayed"],
    "tuning": ["tuning-rate", "tuning-gain", "tuning-kills"],
}
"""What `ONLY` may name instead of several parts."""


@click.command("selfbench")
@options.all_of(
    [options.option("--only", type=options.Words(), help=f"Parts: {', '.join([*PARTS, *GROUPS])}.")],
    options.TALK,
    options.FOLDERS,
)
def command(**given: Any) -> int:
    """Measures the harness: what it adds, whether its clocks agree with the runtimes', how long it takes.

    \b
    python -m harness selfbench
    make selfbench ONLY=null,tvm
    make selfbench ONLY=statistics
    """
    wanted = [part for word in given["only"] or PARTS for part in GROUPS.get(word, [word])]
    for part in wanted:
        if part not in PARTS:
            raise PlanError(f"ONLY: unknown part {part!r}; known: {', '.join([*PARTS, *GROUPS])}")
    place = Place(given["models_dir"], given["results"], Progress(given["quiet"], given["verbose"]))
    figures: List[Figure] = []
    for part in wanted:
        try:
            with place.progress.step(f"selfbench {part}"):
                found = PARTS[part](place)
        except LaunchError as error:
            if given["only"]:
                raise
            place.progress.line(f"selfbench {part}: left out: {error}")
            continue
        figures += found if isinstance(found, list) else [found]
    machine = machines.probe(place.results / ".work", ["null"], LocalBoard(place.results / ".work"))
    now = datetime.now(timezone.utc)
    record = Selfbench(
        created_utc=now.isoformat(timespec="seconds"),
        cpu_model=machine.cpu_model,
        python=machine.python,
        harness_revision=machine.harness_revision,
        figures=figures,
    )
    path = place.results / f"selfbench-{now.strftime('%Y%m%dT%H%M%SZ')}.json"
    upgrades.write(path, record)
    rows = [[one.what, f"{one.value:.4g} {one.unit}", one.bar, "yes" if one.reached else "NO"] for one in figures]
    click.echo(markdown(Table(["figure", "value:", "bar", "reached"], rows)))
    click.echo(f"written: {path}")
    return 0 if all(one.reached for one in figures) else 1
