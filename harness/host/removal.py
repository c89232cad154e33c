"""Removes what was measured or built, which nothing can bring back: asks first, and says what it would take."""

import shutil
import sys
from pathlib import Path
from typing import List, Sequence

import click

from harness.errors import PlanError


def remove(paths: List[Path], what: str, yes: bool, also: Sequence[Path] = ()) -> int:
    """Asks, unless told to go on; the exit code is 1 where the answer is no. `also` are files that go with them."""
    if not paths:
        click.echo(f"there are no {what}")
        return 0
    size = sum(file.stat().st_size for path in paths for file in path.rglob("*") if file.is_file())
    text = f"{len(paths)} {what}, {size / 1e6:.1f} MB"
    if not agreed(text, yes):
        return 1
    for path in paths:
        shutil.rmtree(path)
    for path in also:
        path.unlink()
    click.echo(f"removed {text}")
    return 0


def agreed(text: str, yes: bool) -> bool:
    """Whether the user wants it gone; PlanError where nobody is there to ask."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise PlanError(f"{text}: nobody is there to ask; YES=1 removes them without asking")
    if click.confirm(f"remove {text}?", default=False):
        return True
    click.echo("nothing was removed")
    return False
