"""Which boards there are: `local`, and those of `boards.toml`; opens them, in containers or without.

`boards.toml` is the user's own and ignored by git. It holds no secret: ssh's agent keeps the keys.
"""

import contextlib
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Dict, Iterator, List, Optional, Sequence

import msgspec

from harness import upgrades
from harness.errors import LaunchError, PlanError
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


@contextlib.contextmanager
def opened(
    names: Sequence[str], jetpack: Optional[str], results: Path, progress: Progress, path: Path = FILE
) -> Iterator[List[Board]]:
    """The boards by their names, closed at the end.

    Raises PlanError for an unknown one, LaunchError for one that cannot be reached.
    """
    known = known_boards(path)
    for name in names:
        _check(name, known)
    if len(set(names)) != len(names) or not names:
        raise PlanError("BOARD: name each board once, at least one")
    several = len(names) > 1
    with contextlib.ExitStack() as stack:
        found = []
        for name in names:
            told = progress.of_board(name) if several else progress
            found.append(_open(name, known[name], jetpack, results, told))
            stack.callback(found[-1].close)
        _refuse_twice_here(found)
        yield found


def _refuse_twice_here(boards: Sequence[Board]) -> None:
    """Containers on one engine see each other; workers without one do not see them."""
    here = [one for one in boards if one.here]
    if len(here) > 1 and any(isinstance(one, LocalBoard) for one in here):
        raise PlanError(
            f"BOARD: {' and '.join(one.name for one in here)} are this machine, with a container and without: at the "
            "same time they would disturb each other; measure one after the other"
        )


def known_boards(path: Path = FILE) -> Dict[str, Entry]:
    return {LOCAL: Entry(), **entries(path)}


def daemon_of(name: str, path: Path = FILE) -> "Daemon":
    """A board's Docker engine, whatever is measured on it."""
    known = known_boards(path)
    _check(name, known)
    return _daemon(name, known[name])


def _check(name: str, known: Dict[str, Entry]) -> None:
    if name not in known:
        raise PlanError(
            f"BOARD: unknown board {name!r}{nearest(name, known)}; this machine is local, others stand in "
            f"docker/{FILE.name} (docker/boards.example.toml shows how)"
        )


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
    return open_in_containers(name, entry, wanted, progress, _owner(results, name))


def _owner(results: Path, name: str) -> str:
    """Of the hold on a board. The lock on the results folder lets only one of us live at a time, so that a hold which
    is still there after a connection was lost is known for our own. With the board's name in it, since two boards of
    one run may be one machine under two names: the second must find it held, not take it over."""
    path = results / ".owner"
    if not path.exists():
        results.mkdir(parents=True, exist_ok=True)
        upgrades.write_bytes(path, secrets.token_hex(8).encode())
    return f"{path.read_text().strip()}.{name}"


def open_in_containers(
    name: str, entry: Entry, jetpack: str, progress: Progress, owner: Optional[str] = None
) -> "ContainerBoard":
    from harness.host.containers import outside, pins
    from harness.host.containers.board import ContainerBoard

    daemon = _daemon(name, entry)
    facts = outside.look(daemon.endpoint, name)
    pin = pins.load().check(jetpack, facts.l4t, name)
    if entry.power_mode is not None and facts.power_mode != entry.power_mode:
        said = f"runs in {facts.power_mode}" if facts.power_mode else "does not tell its power mode (nvpmodel -q)"
        raise LaunchError(
            f"board {name} {said}, where {FILE.name} expects {entry.power_mode}; set it on the board (sudo nvpmodel -m "
            "ID), or mend the file"
        )
    limit = entry.memory_mb * 1_000_000 if entry.memory_mb else None
    try:
        return ContainerBoard(name, daemon, jetpack, pin, facts, progress, limit, owner)
    except BaseException:
        daemon.close()
        raise


def _daemon(name: str, entry: Entry) -> "Daemon":
    from harness.host.containers.daemon import Daemon  # Docker's SDK takes a quarter of a second to import

    return Daemon(name, entry.docker, entry.context)
