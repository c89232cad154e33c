"""Floor: the trial log, a file that loses no finished trial; only this module knows how its lines lie on the disk.

A line is a checksum, a space and one JSON text: `1c291ca3 {"kind":"trial",...}`. It is appended by one write and is on
the disk before `append` returns, so whatever ends the writer costs the line it was writing, and no other. Such a torn
line is dropped by whoever opens the log next; a line that was damaged later is left out and named.
"""

import contextlib
import fcntl
import os
import zlib
from pathlib import Path
from typing import (
    BinaryIO,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
    Type,
    TypeVar,
    Union,
)

import msgspec

from harness import upgrades
from harness.errors import STORAGE, RecordError, StorageError
from harness.records import canonical
from harness.records.tuning import LOG_SCHEMA, Choice, Default, End, Header, Job, Line, Task, Trial

LOG = "trials.jsonl"
DIGITS = 8
KINDS = Union[Header, Job, Task, Trial, Default, Choice, End]
DECODER = msgspec.json.Decoder(KINDS)
L = TypeVar("L")
NAMES = {"model_sha256": "the model's bytes", "version": "the version of TVM"}
"""What a reader calls a field of the header; the others are called what they are."""
KEPT = "every trial that had ended is kept; make room, then run the command again"


class Contents(NamedTuple):
    """What a log holds, each line once, in the order it was written."""

    header: Header
    lines: List[Line]
    dropped: List[str]
    """A sentence for every line that could not be read."""

    def of(self, kind: Type[L]) -> List[L]:
        return [one for one in self.lines if isinstance(one, kind)]


class Log:
    """A log that is written to, by several processes at a time if need be. A context manager closes it."""

    def __init__(self, path: Path, file: BinaryIO, contents: Contents) -> None:
        self.path = path
        self.contents = contents
        """As it was when the log was opened."""
        self._file = file
        self._tasks: Set[str] = {one.task for one in contents.of(Task)}

    @classmethod
    def open(cls, folder: Path, header: Header) -> "Log":
        """The log in `folder`, begun where there is none.

        Raises RecordError where it holds trials of something else, StorageError where it cannot be written.
        """
        path = folder / LOG
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = path.open("a+b", buffering=0)
        except OSError as error:
            raise StorageError.of(error, path) from error
        try:
            with _alone(file):
                torn = _drop_torn(file, path)
                if file.seek(0, os.SEEK_END) == 0:
                    _write(file, path, encode(header))
                    upgrades.keep_name(folder)
            found = read(path)
            check_same(found.header, header, str(path))
        except BaseException:
            file.close()
            raise
        return cls(path, file, found._replace(dropped=[*torn, *found.dropped]))

    def append(self, *lines: Line) -> None:
        """On the disk, all of them or none, when this returns; a task that the log knows is not written again.

        Raises StorageError where the disk takes no more; then the log is as it was.
        """
        new = [one for one in lines if not (isinstance(one, Task) and one.task in self._tasks)]
        if new:
            with _alone(self._file):
                _drop_torn(self._file, self.path)  # of a process that was killed after this one opened the log
                _write(self._file, self.path, b"".join(encode(one) for one in new))
        self._tasks.update(one.task for one in new if isinstance(one, Task))

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> "Log":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read(path: Path) -> Contents:
    """The log at `path`; raises RecordError where it is none, or its first line does not say what it is of."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror}; there are no tuning records to read") from error
    whole, _, rest = data.rpartition(b"\n")
    dropped = [f"{path}: its last line was torn ({len(rest)} bytes) and is left out"] if rest else []
    first, *others = whole.split(b"\n") if whole else [b""]
    header = _header(first, path)
    seen: Dict[bytes, None] = {first: None}
    lines: List[Line] = []
    for number, text in enumerate(others, start=2):
        if text in seen:
            continue
        line, trouble = _decode(text)
        if line is None or isinstance(line, Header):
            dropped.append(f"{path}: line {number} is damaged ({trouble or 'a second header'}) and is left out")
            continue
        seen[text] = None
        lines.append(line)
    return Contents(header, lines, dropped)


def read_header(path: Path) -> Header:
    """The first line alone; raises RecordError as `read` does."""
    try:
        with path.open("rb") as file:
            return _header(file.readline().rstrip(b"\n"), path)
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror}; there are no tuning records to read") from error


def merge(sources: Sequence[Path], into: Path) -> Tuple[int, Contents]:
    """Appends to the log in folder `into` what it lacks of `sources`, logs of the same header.

    The number of new trials, and the whole. Nothing is written where a source is of something else (RecordError).
    """
    found = [read(path) for path in sources]
    header = read(into / LOG).header if (into / LOG).exists() else found[0].header
    for path, one in zip(sources, found):
        check_same(one.header, header, str(path))
    with Log.open(into, header) as log:
        there = {canonical(line) for line in log.contents.lines}
        new: Dict[bytes, Line] = {}
        for one in found:
            new.update((canonical(line), line) for line in one.lines if canonical(line) not in there)
        log.append(*new.values())
        dropped = [*log.contents.dropped, *(said for one in found for said in one.dropped)]
    return sum(isinstance(line, Trial) for line in new.values()), read(into / LOG)._replace(dropped=dropped)


def check_same(found: Header, wanted: Header, where: str) -> None:
    """Raises RecordError that names what differs."""
    told = difference(found, wanted)
    if told:
        raise RecordError(f"{where} holds tuning records of something else: {told}. They are left as they are")


def difference(found: Header, wanted: Header) -> str:
    """`target is znver3 there and znver4 here`; empty where nothing differs."""
    return "; ".join(
        f"{NAMES.get(name, name)} is {_short(getattr(found, name))} there and {_short(getattr(wanted, name))} here"
        for name in Header.__struct_fields__
        if getattr(found, name) != getattr(wanted, name)
    )


def encode(line: KINDS) -> bytes:
    text = canonical(line)
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _header(text: bytes, path: Path) -> Header:
    line, trouble = _decode(text)
    if isinstance(line, Header):
        return line
    with contextlib.suppress(msgspec.DecodeError, AttributeError):
        schema = msgspec.json.decode(text[DIGITS + 1 :]).get("schema")
        if isinstance(schema, int) and schema > LOG_SCHEMA:
            what = f"was written by a newer harness (schema {schema}, this one reads {LOG_SCHEMA}): update it"
            raise RecordError(f"{path}: {what}")
    raise RecordError(
        f"{path}: its first line does not say what its trials are of ({trouble or 'it is no header'}), so none can be "
        "used; move the file away"
    )


def _decode(text: bytes) -> Tuple[Optional[KINDS], str]:
    """The line, or why it is none."""
    stated, _, body = text.partition(b" ")
    if stated != b"%08x" % zlib.crc32(body):
        return None, "its checksum differs"
    try:
        return DECODER.decode(body), ""
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        return None, str(error)


def _short(value: object) -> str:
    return value[:12] if isinstance(value, str) and len(value) == 64 else str(value)


@contextlib.contextmanager
def _alone(file: BinaryIO) -> Iterator[None]:
    """Nobody else appends meanwhile; the kernel lets go of it when its holder dies."""
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def _drop_torn(file: BinaryIO, path: Path) -> List[str]:
    """Cuts off what follows the last whole line, and says so; its writer is dead, or it would hold the lock."""
    size = file.seek(0, os.SEEK_END)
    end, block = size, 1 << 16
    while end:
        start = max(0, end - block)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end == size:
        return []
    file.truncate(end)
    return [f"{path}: its last line was torn ({size - end} bytes), as by a process that was killed, and was dropped"]


def _write(file: BinaryIO, path: Path, data: bytes) -> None:
    """All of `data` on the disk, or nothing of it."""
    size = file.seek(0, os.SEEK_END)
    try:
        written = file.write(data)
        while written < len(data):  # a disk that fills up takes a part, and says why at the next attempt
            written += file.write(data[written:])
        os.fsync(file.fileno())
    except OSError as error:
        file.truncate(size)
        if error.errno not in STORAGE:
            raise
        raise StorageError(f"{path}: {error.strerror}; {KEPT}") from error


def write_whole(path: Path, header: Header, lines: Iterable[Line]) -> None:
    """A log that appears whole or not at all, such as one that is shipped; raises OSError."""
    upgrades.write_bytes(path, b"".join(encode(one) for one in (header, *lines)))
