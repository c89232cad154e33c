"""Reads runs for the cache, and tells by a look at their files which of them must be read again.

Files are believed to be the same while name, size, time of change and inode are: a record is always replaced by another
file, never written into.
"""

import hashlib
import os
from pathlib import Path
from typing import List, NamedTuple

from harness import upgrades
from harness.errors import HarnessError
from harness.host import runs
from harness.host.history.measured import Measured, measured
from harness.host.runs import Run

FIRST = "run.json"


class Reading(NamedTuple):
    """All that is to be known of one run."""

    run: str
    files: str
    """What was looked at, below its folder, a line each: whether it was there or not."""
    seen: str
    """How those files looked before they were read."""
    damage: str
    """What could not be read and why, a line each."""
    rows: List[Measured]


def folders(results: Path) -> List[str]:
    """Names of all runs, by a single look at the folder of results."""
    if not results.is_dir():
        return []
    with os.scandir(str(results)) as found:
        names = [one.name for one in found if one.is_dir()]
    return sorted(name for name in names if (results / name / FIRST).exists())


def look(folder: Path, files: str) -> str:
    """Changes whenever one of `files` (a line each) appears, goes or is replaced."""
    seen = []
    start = f"{folder}/"
    for name in files.split("\n"):
        try:
            found = os.stat(start + name)  # noqa: PTH116  (a hundred thousand of them, and a Path takes as long again)
            seen.append((found.st_mtime_ns, found.st_size, found.st_ino))
        except OSError as error:
            seen.append((error.errno or 0, 0, 0))
    return hashlib.blake2b(repr(seen).encode(), digest_size=16).hexdigest()


def read(results: Path, name: str) -> Reading:
    """Never raises for what is wrong with the run itself: what cannot be read is named, and all else counts."""
    folder = results / name
    first, files, seen, rows = look(folder, FIRST), FIRST, "", []
    damage: List[str] = []
    try:
        files = "\n".join(runs.files(upgrades.read(folder / FIRST, Run)))
        seen = look(folder, files)
        for data in runs.load(folder):
            rows += measured(name, data)
            damage += data.broken
    except (HarnessError, OSError) as error:
        text = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
        rows, damage = [], [text.replace(f"{folder}/", "")]
    if look(folder, FIRST) != first:
        seen = ""  # it was replaced meanwhile: the next call reads it again
    elif files == FIRST:
        seen = first
    return Reading(name, files, seen, "\n".join(damage), rows)
