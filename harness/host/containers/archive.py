"""Tar streams into and out of containers: what goes in gets an owner, what comes out is untrusted and checked."""

import contextlib
import io
import shutil
import tarfile
from pathlib import Path
from typing import IO, Iterable, Iterator, List, Mapping, Tuple

from harness.errors import RefusedArchive

RECORD_BYTES = 64_000_000
"""Largest record: 100,000 iterations of five columns stay below it."""
ENGINE_BYTES = 4_000_000_000
ENGINE_MEMBERS = 1_000
NAME_LIMIT = 200
"""Longest name of a member, in characters; a worker's are short and ASCII."""
HEADERS_BYTES = 64 << 10
"""Most that may come before one member's contents: what a long name takes, many times over."""
CHUNK_BYTES = 1 << 20


def pack(files: Mapping[str, bytes], owner: int) -> bytes:
    """A compressed tar of `files` and the folders above them, all `owner`'s."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=6, format=tarfile.PAX_FORMAT) as tar:
        folders: List[str] = []
        for name in files:
            parents = [str(parent) for parent in Path(name).parents if str(parent) != "."]
            folders += [parent for parent in reversed(parents) if parent not in folders]
        for name in folders:
            tar.addfile(_member(name, owner, tarfile.DIRTYPE, 0o755))
        for name, data in files.items():
            member = _member(name, owner, tarfile.REGTYPE, 0o644)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _member(name: str, owner: int, kind: bytes, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.uid, member.gid = kind, mode, owner, owner
    return member


def read_file(chunks: Iterable[bytes], limit_bytes: int = RECORD_BYTES) -> bytes:
    """The one regular file of an archive."""
    with _broken_is_refused():
        found = [source.read() for _, source in _members(chunks, limit_bytes, limit_members=1)]
    if len(found) != 1:
        raise RefusedArchive("a container's answer was refused: it is no file")
    return found[0]


def extract(
    chunks: Iterable[bytes], into: Path, limit_bytes: int = ENGINE_BYTES, limit_members: int = ENGINE_MEMBERS
) -> List[Path]:
    """Writes an archived file as `into`, or the files of an archived folder below it; without its own name."""
    written = []
    with _broken_is_refused():
        for member, source in _members(chunks, limit_bytes, limit_members):
            path = into.joinpath(*Path(member.name).parts[1:])
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                target = path.open("xb")
            except (FileExistsError, NotADirectoryError):
                raise _refused(member, "comes twice, or is a file and a folder") from None
            with target:
                shutil.copyfileobj(source, target, CHUNK_BYTES)
            written.append(path)
    return written


def _members(
    chunks: Iterable[bytes], limit_bytes: int, limit_members: int
) -> Iterator[Tuple[tarfile.TarInfo, IO[bytes]]]:
    """Regular files in the stream's order. Sizes are summed from the headers, before anything is read of a file."""
    total = count = 0
    stream = _Stream(chunks)
    # An engine answers with a plain tar ("r|"): what is compressed would grow beyond what was counted.
    with tarfile.open(fileobj=stream, mode="r|", bufsize=CHUNK_BYTES, tarinfo=_Header) as tar:
        for member in tar:
            count += 1
            if count > limit_members + 1:  # the folder itself is one
                raise RefusedArchive(f"a container's answer was refused: more than {limit_members} members")
            if member.name.startswith("/") or ".." in member.name.split("/"):
                raise _refused(member, "points outside of its folder")
            if len(member.name) > NAME_LIMIT or not (member.name.isascii() and member.name.isprintable()):
                raise _refused(member, "has a name that no worker gives")
            if member.size < 0:
                raise _refused(member, "has a size below zero")
            if not member.isdir():
                if not member.isreg() or member.issparse():
                    raise _refused(member, f"is {_kind(member)}, not a file")
                total += member.size
                if total > limit_bytes:
                    raise _refused(
                        member, f"would be {total} bytes with what came before; at most {limit_bytes} are taken"
                    )
                source = tar.extractfile(member)
                if source is not None:
                    stream.allow(member.size)
                    yield member, source
            stream.allow(HEADERS_BYTES)


@contextlib.contextmanager
def _broken_is_refused() -> Iterator[None]:
    """Also what tarfile lets through on headers that no one writes: numbers that are none, names, nesting."""
    try:
        yield
    except (tarfile.TarError, ValueError, LookupError, ArithmeticError, EOFError, RecursionError) as error:
        words = f"{error or type(error).__name__}"[:100]
        raise RefusedArchive(f"a container's answer was refused: it is not a whole archive ({words!a})") from None


def _refused(member: tarfile.TarInfo, why: str) -> RefusedArchive:
    name = member.name if len(member.name) <= NAME_LIMIT else f"{member.name[:60]}..."
    return RefusedArchive(f"a container's answer was refused: member {name!a} {why}")


def _kind(member: tarfile.TarInfo) -> str:
    kinds = (
        (member.issym, "a symbolic link"),
        (member.islnk, "a hard link"),
        (member.isfifo, "a pipe"),
        (member.issparse, "a sparse file"),
    )
    return next((name for asks, name in kinds if asks()), "a device")


class _Header(tarfile.TarInfo):
    """A header that is damaged or cut off is an error wherever it lies: tarfile takes it for the archive's end."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> "_Header":
        try:
            return super().fromtarfile(tarfile_)  # type: ignore[return-value]
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from None


class _Stream(io.RawIOBase):
    """The chunks of an HTTP answer as a file that can only be read onwards, and only as far as was allowed."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        super().__init__()
        self._chunks, self._rest = iter(chunks), b""
        self._left = 2 * CHUNK_BYTES  # tarfile reads one ahead

    def allow(self, size: int) -> None:
        """What tarfile itself gathers, whatever a header tells it to, stays within this."""
        self._left += size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._rest += chunk
        end = len(self._rest) if size < 0 else size
        data, self._rest = self._rest[:end], self._rest[end:]
        self._left -= len(data)
        if self._left < 0:
            raise RefusedArchive("a container's answer was refused: headers without end")
        return data
