"""The cache of what all runs measured: a DuckDB file beside them. `query.py` asks it; nothing else knows DuckDB.

The result files stay the truth. The cache may be deleted at any time; one that is damaged, or that another version of
this code wrote, is made anew; where it cannot be written, or another process has it for long, all runs are read.
"""

import contextlib
import hashlib
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, TypeVar, get_type_hints

import duckdb
import msgspec

from harness.host.history import changes, conditions, measured, reading, watched
from harness.host.history.changes import Changed
from harness.host.history.measured import Measured
from harness.host.report import collect
from harness.host.stats import earlier, summary, welch
from harness.records import SCHEMA

NAME = ".history.duckdb"
PATIENCE_S = 5.0
"""With another process that has the cache; a query takes less."""
BUSY = "Could not set lock on file"
AT_ONCE = 200
"""Runs that are read before what was found is kept: a first call that is stopped goes on from there."""
SETTINGS = {"threads": "1", "autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
TYPES: Dict[Any, str] = {
    str: "VARCHAR",
    int: "BIGINT",
    bool: "BOOLEAN",
    float: "DOUBLE",
    Optional[float]: "DOUBLE",
    List[float]: "DOUBLE[]",
}
MEASURED, CHANGED = (
    {name: TYPES[kind] for name, kind in get_type_hints(record).items()} for record in (Measured, Changed)
)
OF_RUN = dict.fromkeys(("run", "files", "seen", "damage"), "VARCHAR")
TABLES = (
    "CREATE TABLE made_by (layout VARCHAR)",
    *(
        f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in columns.items())})"
        for table, columns in (("runs", OF_RUN), ("measured", MEASURED), ("changed", CHANGED))
    ),
)
Say = Callable[[str], None]
Connection = duckdb.DuckDBPyConnection
T = TypeVar("T")


def layout() -> str:
    """Of what made the rows: a cache of other sources is of another version, whoever forgot to say so."""
    makers = (changes, conditions, measured, reading, watched, collect, earlier, summary, welch)
    sources = [Path(str(one.__file__)).read_bytes() for one in makers]
    return hashlib.sha256(b"".join([*sources, repr((TABLES, SCHEMA)).encode()])).hexdigest()[:16]


def asked(results: Path, say: Say, question: Callable[[Connection], T]) -> Tuple[T, List[str]]:
    """What `question` makes of the cache once it is up to date, and what could not be read, by run.

    `say` is told what takes long, and when the cache is made anew or cannot be had.
    """
    path = results / NAME
    for again in (False, True):
        connection = _in_file(path, say)
        if connection is None:
            break
        try:
            return _answer(connection, results, say, question)
        except duckdb.Error as error:  # damage lies deeper than opening looks, or the disk is full
            if again or not _discarded(path, say):
                say(f"history: no cache at {path} ({_first_line(error)}): every run is read")
                break
    return _answer(_new(":memory:"), results, say, question)


def _answer(
    connection: Connection, results: Path, say: Say, question: Callable[[Connection], T]
) -> Tuple[T, List[str]]:
    with contextlib.closing(connection):  # which writes, too
        damage = _update(connection, results, say)
        return question(connection), damage


def _in_file(path: Path, say: Say) -> Optional[Connection]:
    """None where it cannot be had, which is said."""
    begin = time.monotonic()
    while True:
        try:
            return _whole(path, say) if path.exists() else _new(str(path))
        except duckdb.Error as error:
            busy = BUSY in str(error)
            if busy and time.monotonic() - begin < PATIENCE_S:
                time.sleep(0.1)
                continue
            why = "another process has it" if busy else _first_line(error)
            say(f"history: no cache at {path} ({why}): every run is read")
            return None


def _whole(path: Path, say: Say) -> Connection:
    """The cache that is there; a new one instead of one that is damaged or of another version."""
    try:
        connection = duckdb.connect(str(path), config=SETTINGS)
    except duckdb.Error as error:
        if BUSY in str(error) or not _discarded(path, say):
            raise
        return _new(str(path))
    with contextlib.suppress(duckdb.Error):
        if connection.execute("SELECT layout FROM made_by").fetchall() == [(layout(),)]:
            return connection
    connection.close()
    _discarded(path, say)
    return _new(str(path))


def _new(path: str) -> Connection:
    connection = duckdb.connect(path, config=SETTINGS)
    with _together(connection):
        for table in TABLES:
            connection.execute(table)
        connection.execute("INSERT INTO made_by VALUES (?)", [layout()])
    return connection


def _discarded(path: Path, say: Say) -> bool:
    """Whether it could be removed."""
    try:
        for one in (path, path.with_name(f"{path.name}.wal")):
            if one.exists():
                one.unlink()
    except OSError:
        return False
    say("history: the cache was damaged or of another version; it is made anew")
    return True


def _first_line(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0]


def _update(connection: Connection, results: Path, say: Say) -> List[str]:
    """Reads what is new or has changed, forgets what is gone; returns what could not be read, by run."""
    known: Dict[str, Tuple[str, str]] = {
        run: (files, seen) for run, files, seen in connection.execute("SELECT run, files, seen FROM runs").fetchall()
    }
    with reading.opened(results) as handle:
        changed = {run for run, (files, seen) in known.items() if reading.look(handle, run, files) != seen}
    gone = [run for run in changed if not reading.is_run(results, run)]
    new = [name for name in reading.folders(results) if name not in known and reading.is_run(results, name)]
    stale = sorted({*new, *changed} - {*gone})
    if gone:
        with _together(connection):
            _forget(connection, gone)
    for start in range(0, len(stale), AT_ONCE):
        if len(stale) > AT_ONCE:
            say(f"history: reading run {start + 1} of {len(stale)}")
        part = [reading.read(results, name) for name in stale[start : start + AT_ONCE]]
        with _together(connection):
            _forget(connection, [one.run for one in part])
            _insert(connection, "runs", OF_RUN, part)
            _insert(connection, "measured", MEASURED, [row for one in part for row in one.rows])
    if _count(connection, "changed") != _count(connection, "measured"):  # a call that was stopped may have left it so
        every = changes.held(connection.execute(changes.QUERY).fetchall())
        with _together(connection):
            connection.execute("DELETE FROM changed")
            _insert(connection, "changed", CHANGED, [changes.changed(one) for one in every])
    damaged = connection.execute("SELECT run, damage FROM runs WHERE damage <> '' ORDER BY run").fetchall()
    return [f"{run}: {line}" for run, text in damaged for line in text.split("\n")]


@contextlib.contextmanager
def _together(connection: Connection) -> Iterator[None]:
    """All or nothing: what is not committed when a connection closes never was."""
    connection.execute("BEGIN")
    yield
    connection.execute("COMMIT")


def _forget(connection: Connection, names: Sequence[str]) -> None:
    for table in ("runs", "measured"):
        connection.execute(f"DELETE FROM {table} WHERE run IN (SELECT unnest(?::VARCHAR[]))", [list(names)])
    connection.execute("DELETE FROM changed")  # every later run may be held against these


def _count(connection: Connection, table: str) -> int:
    ((found,),) = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
    return int(found)


def _insert(connection: Connection, table: str, columns: Mapping[str, str], rows: Sequence[Any]) -> None:
    """As JSON, which DuckDB takes a hundred times faster than a parameter for each value."""
    kinds = {name: [kind[:-2]] if kind.endswith("[]") else kind for name, kind in columns.items()}
    plain = [{name: getattr(row, name) for name in columns} for row in rows]
    connection.execute(
        f"INSERT INTO {table} SELECT row.* FROM (SELECT unnest(from_json(?::JSON, ?)) AS row)",
        [msgspec.json.encode(plain).decode(), msgspec.json.encode([kinds]).decode()],
    )
