"""Reads runs for the cache, and tells by a look at their files which of them must be read again.

Files are believed to be the same while name, size, time of change and inode are: a record is always replaced by another
file, never written into.
"""

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Iterator, List, NamedTuple

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
    """Names of all folders that may be runs, by a single look."""
    with os.scandir(str(results)) as found:
        return sorted(one.name for one in found if one.is_dir())


def is_run(results: Path, name: str) -> bool:
    try:
        return (results / name / FIRST).exists()
    except PermissionError:  # `read` names it
        return True


def look(results: int, name: str, files: str) -> str:
    """Changes whenever one of `files` (a line each) of run `name` appears, goes or is replaced.

    `results` is an open folder: there may be a hundred thousand of them, and a long path takes a third longer.
    """
    seen = []
    for file in files.split("\n"):
        try:
            found = os.stat(f"{name}/{file}", dir_fd=results)
            seen.append((found.st_mtime_ns, found.st_size, found.st_ino))
        except OSError as error:
            seen.append((error.errno or 0, 0, 0))
    return hashlib.blake2b(repr(seen).encode(), digest_size=16).hexdigest()


@contextlib.contextmanager
def opened(results: Path) -> Iterator[int]:
    handle = os.open(str(results), os.O_RDONLY)
    try:
        yield handle
    finally:
        os.close(handle)


def read(results: Path, name: str) -> Reading:
    """Never raises for what is wrong with the run itself: what cannot be read is named, and all else counts."""
    with opened(results) as handle:
        return _read(handle, results / name)


def _read(results: int, folder: Path) -> Reading:
    name, files, seen = folder.name, FIRST, ""
    first = look(results, name, FIRST)
    rows: List[Measured] = []
    damage: List[str] = []
    try:
        files = "\n".join(runs.files(upgrades.read(folder / FIRST, Run)))
        seen = look(results, name, files)
        for data in runs.load(folder):
            rows += measured(name, data)
            damage += data.broken
    except (HarnessError, OSError) as error:
        text = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
        rows, damage = [], [text.replace(f"{folder}/", "")]
    if look(results, name, FIRST) != first:
        seen = ""  # it was replaced meanwhile: the next call reads it again
    elif files == FIRST:
        seen = first
    return Reading(name, files, seen, "\n".join(damage), rows)
