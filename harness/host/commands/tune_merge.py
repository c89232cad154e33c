"""`tune-merge`: puts tuning records of several machines together."""

from pathlib import Path
from typing import Any, Dict, List

import click

from harness import schedules, trials
from harness.errors import PlanError
from harness.host import lock, options
from harness.host.tuning import logs
from harness.records.tuning import Trial
from harness.trials import LOG, Contents

WHICH: List[options.Decorator] = [
    options.option("--from", type=options.Words(), help="Logs, or folders below which they lie.", metavar="PATH,..."),
    options.option(
        "--ship", type=click.Path(path_type=Path), help="Also write what an engine needs of each.", metavar="FOLDER"
    ),
]


@click.command("tune-merge")
@options.all_of(WHICH, options.FOLDERS)
def command(**given: Any) -> int:
    """Merges trial logs into results/tuning/, those of one model, target and version of TVM together; each trial once.

    With --ship it also writes the chosen schedules of each as a small file, to be kept with the repository.

    \b
    python -m harness tune-merge --from other/results/tuning,log.jsonl
    """
    sources = _logs(given["from"] or [])
    with lock.measuring(given["results"]):
        for folder, paths in _by_folder(sources, given["results"]).items():
            count, whole = trials.merge(paths, folder)
            for text in whole.dropped:
                click.echo(text, err=True)
            click.echo(f"{folder}: {count} new trials, {len(whole.of(Trial))} in all")
            if given["ship"] is not None:
                click.echo(f"  {_ship(whole, given['ship'])}")
    return 0


def _logs(named: List[str]) -> List[Path]:
    """Raises PlanError for what is no log and holds none."""
    if not named:
        raise PlanError("FROM: name logs, or folders below which they lie, separated by commas")
    found: List[Path] = []
    for one in map(Path, named):
        below = [one] if one.is_file() else sorted(one.rglob(LOG))
        if not below:
            raise PlanError(f"FROM: {one} is no trial log, and there is none below it")
        found += below
    return found


def _by_folder(sources: List[Path], results: Path) -> Dict[Path, List[Path]]:
    """By the folder of the log that they belong to; all are read before anything is written."""
    found: Dict[Path, List[Path]] = {}
    for path in sources:
        found.setdefault(logs.folder(results, trials.read_header(path)), []).append(path)
    return found


def _ship(whole: Contents, folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / logs.shipped_name(whole.header)
    small = schedules.compact(whole)
    trials.write_whole(path, small.header, small.lines)
    count = len(small.of(Trial))
    return f"{path}: {count} schedule{'' if count == 1 else 's'}, {path.stat().st_size / 1e3:.0f} kB"
