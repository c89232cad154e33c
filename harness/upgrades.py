"""Floor: reads stored records of every released schema, and writes them whole or not at all.

Each file carries the hash of its own content, so that one edited by hand is told from one that was cut short.
Upgrades are pure functions from the plain data of schema n to that of n + 1; a file of every released schema is kept
under tests/records/ and must always read.
"""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, Type, TypeVar, Union

import msgspec

from harness.errors import RecordError
from harness.jobs import Failure
from harness.records import SCHEMA, Record, digest

R = TypeVar("R", bound=Record)
Upgrade = Callable[[Dict[str, Any]], Dict[str, Any]]

CONTENT = "content_sha256"


def _to_2(raw: Dict[str, Any]) -> Dict[str, Any]:
    """A run may have several boards: what belongs to one moves below its name. Other kinds only gained fields."""
    if raw.get("kind") != "run":
        return raw
    names = ("board", "experiments", "engines", "references")
    return {**{key: value for key, value in raw.items() if key not in names}, "on": [{one: raw[one] for one in names}]}


def _to_3(raw: Dict[str, Any]) -> Dict[str, Any]:
    """Fields were added, every one with a default that says what was true before."""
    return raw


STEPS: Dict[int, Upgrade] = {1: _to_2, 2: _to_3}
"""Schema n to the function that makes n + 1 of it."""


def upgrade(raw: Dict[str, Any], steps: Dict[int, Upgrade] = STEPS, schema: int = SCHEMA) -> Dict[str, Any]:
    """`raw` as plain data of `schema`; raises RecordError for a newer one, or one that nothing leads on from."""
    found = raw.get("schema")
    if not isinstance(found, int) or found < 1:
        raise RecordError(f"has no schema number (found {found!r})")
    if found > schema:
        raise RecordError(f"was written by a newer harness (schema {found}, this one reads up to {schema}): update it")
    for number in range(found, schema):
        if number not in steps:
            raise RecordError(f"has schema {number}, and no upgrade leads on from there")
        raw = {**steps[number](raw), "schema": number + 1}
    return raw


def check_content(raw: Dict[str, Any]) -> None:
    """Takes the content hash out of `raw`; raises RecordError where it is not that of the rest."""
    stated = raw.pop(CONTENT, None)
    newer = isinstance(raw.get("schema"), int) and raw["schema"] > SCHEMA
    if stated != digest(raw, 64) and not newer:  # a newer harness may hash in another way
        what = "has no content hash" if stated is None else "was changed after it was written: its content hash differs"
        raise RecordError(f"{what}; no figure in it can be trusted. Move it away and run the command again")


def decode(data: bytes, kind: Type[R], where: str) -> R:
    """The record of type `kind` in `data`; `where` names the file for the error."""
    try:
        raw = msgspec.json.decode(data)
        if not isinstance(raw, dict):
            raise RecordError("is not a record")
        check_content(raw)
        return msgspec.convert(upgrade(raw), kind)
    except msgspec.ValidationError as error:
        raise RecordError(f"{where} is not a valid {kind.__name__}: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(f"{where} is not JSON ({error}): move it away and run the command again") from error
    except RecordError as error:
        raise RecordError(f"{where} {error}") from None


def decode_answer(data: bytes, kind: Type[R], where: str) -> Union[R, Failure]:
    """What a worker answered: the record it was asked for, or a Failure."""
    return decode(data, Failure, where) if b'"kind": "failure"' in data[:64] else decode(data, kind, where)


def read(path: Path, kind: Type[R]) -> R:
    return decode(path.read_bytes(), kind, str(path))


def encode(record: Record) -> bytes:
    """The file of a record: indented JSON, the content hash last."""
    raw = {**msgspec.to_builtins(record), CONTENT: digest(record, 64)}
    return msgspec.json.format(msgspec.json.encode(raw), indent=1) + b"\n"


def write(path: Path, record: Record) -> None:
    """Pretty JSON at `path`, which other processes see whole or not at all."""
    write_bytes(path, encode(record))


def write_bytes(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=str(path.parent), prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
        keep_name(path.parent)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):  # a signal may come between the replacement and here
            Path(temporary).unlink()
        raise


def keep_name(folder: Path) -> None:
    """The name of a new file survives a power cut only once its folder is on disk too; not every file system can."""
    with contextlib.suppress(OSError):
        handle = os.open(str(folder), os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
