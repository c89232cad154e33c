"""Which boards there are: `local`, and those of `boards.toml`; opens them, in containers or without.

`boards.toml` is the user's own and ignored by git. It holds no secret: ssh's agent keeps the keys.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Dict, List, Optional, Sequence

import msgspec

from harness.errors import PlanError
from harness.host import toml
from harness.host.board import LOCAL, Board, LocalBoard
from harness.host.containers import address
from harness.host.nearest import nearest
from harness.host.progress import Progress
from harness.records import Record

if TYPE_CHECKING:
    from harness.host.containers.board import ContainerBoard
    from harness.host.containers.daemon import Daemon

FILE = Path(__file__).resolve().parents[2] / "docker" / "boards.toml"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
RESERVED = re.compile(r"local|engines|.*\.(?:json|md|svg|csv|txt)", re.IGNORECASE)
"""Not for boards: a board is a folder of a run, beside these."""
NO_CONTAINER = "none"


class Entry(Record, frozen=True):
    """One `[name]` of boards.toml."""

    docker: Optional[str] = None
    """Where its engine answers, see `containers/address.py`; absent is this machine's own."""
    context: Optional[str] = None
    """A Docker context instead."""
    jetpack: Optional[str] = None
    """Pin of its containers; absent is the newest that its L4T can run."""
    power_mode: Optional[str] = None
    """What nvpmodel is expected to say."""
    memory_mb: Optional[int] = None
    """Most CPU memory that a worker may take."""


def entries(path: Path = FILE) -> Dict[str, Entry]:
    if not path.exists():
        return {}
    return {name: _entry(path, name, raw) for name, raw in toml.load(path).items()}


def _entry(path: Path, name: str, raw: object) -> Entry:
    where = f"{path}: [{name.encode('unicode_escape').decode()}]"
    if not NAME.fullmatch(name) or RESERVED.fullmatch(name):
        raise PlanError(
            f"{where}: {name!a} is no name for a board; use letters, digits and ._-, but not local, and not a file's"
        )
    known = Entry.__struct_fields__
    for field, value in raw.items() if isinstance(raw, dict) else ():
        if field not in known:
            dotted = f'; a name with a dot stands in quotes: ["{name}.{field}"]' if isinstance(value, dict) else ""
            raise PlanError(f"{where}: unknown {field!a}{nearest(field, known)}{dotted}")
    try:
        entry = msgspec.convert(raw, Entry)
    except msgspec.ValidationError as error:
        raise PlanError(f"{where}: {error}; a board is [{name}] with some of {', '.join(known)}") from None
    if entry.docker is not None and entry.context is not None:
        raise PlanError(f"{where}: give docker or context, not both")
    if entry.docker is not None:
        address.check(entry.docker, f"{where}: docker")
    if entry.memory_mb is not None and entry.memory_mb <= 0:
        raise PlanError(f"{where}: memory_mb {entry.memory_mb} must be above zero")
    return entry


def opened(
    names: Sequence[str], jetpack: Optional[str], results: Path, progress: Progress, path: Path = FILE
) -> List[Board]:
    """The boards by their names; PlanError for an unknown one, LaunchError for one that cannot be reached."""
    known = {LOCAL: Entry(), **entries(path)}
    for name in names:
        if name not in known:
            raise PlanError(
                f"BOARD: unknown board {name!r}{nearest(name, known)}; this machine is local, others stand in "
                f"{path.name} (boards.example.toml shows how)"
            )
    if len(set(names)) != len(names) or not names:
        raise PlanError("BOARD: name each board once, at least one")
    several = len(names) > 1
    return [
        _open(name, known[name], jetpack, results, progress.of_board(name) if several else progress) for name in names
    ]


def _open(name: str, entry: Entry, jetpack: Optional[str], results: Path, progress: Progress) -> Board:
    from harness.host.containers import outside, pins

    wanted = jetpack or entry.jetpack
    if name == LOCAL and wanted == NO_CONTAINER:
        return LocalBoard(results / ".work")
    if wanted is None:
        place = _daemon(name, entry).endpoint if entry.context is not None else entry.docker
        wanted = pins.load().default(outside.look(place, name).l4t)
    if wanted is None and name == LOCAL:
        return LocalBoard(results / ".work")
    if wanted is None or wanted == NO_CONTAINER:
        raise PlanError(
            f"board {name}: its workers run in containers, so name a pin: JETPACK, or jetpack in boards.toml"
        )
    return open_in_containers(name, entry, wanted, progress)


def open_in_containers(name: str, entry: Entry, jetpack: str, progress: Progress) -> "ContainerBoard":
    from harness.host.containers import outside, pins
    from harness.host.containers.board import ContainerBoard

    daemon = _daemon(name, entry)
    facts = outside.look(daemon.endpoint, name)
    pin = pins.load().check(jetpack, facts.l4t, name)
    limit = entry.memory_mb * 1_000_000 if entry.memory_mb else None
    return ContainerBoard(name, daemon, jetpack, pin, facts, progress, limit)


def _daemon(name: str, entry: Entry) -> "Daemon":
    from harness.host.containers.daemon import Daemon  # Docker's SDK takes a quarter of a second to import

    return Daemon(name, entry.docker, entry.context)
