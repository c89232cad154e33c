"""Archives into and out of containers: real tar bytes, each kind of lie refused by name, nothing outside of `into`."""

import gzip
import io
import subprocess
import tarfile
import tracemalloc
from pathlib import Path
from typing import Dict, Iterator, List, Optional

import pytest

from harness.errors import RefusedArchive
from harness.host.containers import archive


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, **more: object) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.size = kind, size
    for field, value in more.items():
        setattr(found, field, value)
    return found


def tar(*members: tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> bytes:
    """Members as their headers say, with as many zeros as contents as they have."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as target:
        for one in members:
            target.addfile(one, io.BytesIO(bytes(one.size)))
    return buffer.getvalue()


def header(one: tarfile.TarInfo) -> bytes:
    return one.tobuf(tarfile.USTAR_FORMAT)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def pax(*records: bytes, then: tarfile.TarInfo) -> bytes:
    """An extended header of these records before a member."""
    body = b"".join(records)
    return header(member("pax", tarfile.XHDTYPE, len(body))) + padded(body) + header(then)


def record(key: str, value: str) -> bytes:
    """`<length> key=value\\n`, where the length counts itself."""
    rest = f" {key}={value}\n"
    size = next(n for n in range(len(rest), len(rest) + 20) if n == len(rest.encode()) + len(str(n)))
    return f"{size}{rest}".encode()


END = bytes(1024)
FOLDER = member("engine", tarfile.DIRTYPE)


def extracted(tmp_path: Path, data: bytes, cut: int = 700, **limits: int) -> Dict[str, bytes]:
    """Files by their path below `into`, from chunks that end in the middle of everything."""
    into = tmp_path / "inner" / "into"
    archive.extract((data[start : start + cut] for start in range(0, len(data), cut)), into, **limits)
    return {str(path.relative_to(into)): path.read_bytes() for path in into.rglob("*") if path.is_file()}


def refusal(tmp_path: Path, data: bytes, **limits: int) -> str:
    """The message; and what was written before it lies below `into`."""
    with pytest.raises(RefusedArchive) as caught:
        extracted(tmp_path, data, cut=1 << 16, **limits)
    outside = [
        path for path in tmp_path.rglob("*") if path.is_file() and tmp_path / "inner" / "into" not in path.parents
    ]
    assert [path for path in outside if path != tmp_path / "inner" / "into"] == []
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300
    return str(caught.value)


def test_what_is_packed_comes_out_again(tmp_path: Path) -> None:
    files = {"job/job.json": b"{}", "job/code/harness/__init__.py": b"", "job/code/x.bin": bytes(range(256)) * 9}
    packed = gzip.decompress(archive.pack(files, 10001))
    assert extracted(tmp_path, packed) == {name.partition("/")[2]: data for name, data in files.items()}


def test_everything_packed_belongs_to_the_owner_and_folders_come_first() -> None:
    with tarfile.open(fileobj=io.BytesIO(archive.pack({"a/b/c": b"1", "a/d": b"2"}, 10001))) as packed:
        members = packed.getmembers()
    assert [(one.name, one.isdir()) for one in members] == [("a", 1), ("a/b", 1), ("a/b/c", 0), ("a/d", 0)]
    assert {(one.uid, one.gid) for one in members} == {(10001, 10001)}
    assert {one.mode for one in members if one.isdir()} == {0o755}


def test_a_file_alone_is_written_as_into(tmp_path: Path) -> None:
    archive.extract([tar(member("reference.npz", size=3))], tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == b"\0\0\0"


def test_one_file_is_read_and_anything_else_is_not() -> None:
    assert archive.read_file([tar(member("out.json", size=5))]) == bytes(5)
    with pytest.raises(RefusedArchive, match="it is no file"):
        archive.read_file([tar(FOLDER)])
    with pytest.raises(RefusedArchive, match="more than 1 members"):
        archive.read_file([tar(*[member(f"{index}") for index in range(3)])])
    with pytest.raises(RefusedArchive, match=r"'out.json' would be 70000000 bytes .* at most 64000000"):
        archive.read_file([header(member("out.json", size=70_000_000))])


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (member("/etc/passwd", size=1), "'/etc/passwd' points outside"),
        (member("engine/../../passwd", size=1), "'engine/../../passwd' points outside"),
        (member("..", tarfile.DIRTYPE), "'..' points outside"),
        (member("engine/../../..", tarfile.DIRTYPE), "points outside"),
        (member("engine/a", tarfile.SYMTYPE, linkname="/etc"), "'engine/a' is a symbolic link, not a file"),
        (member("engine/a", tarfile.LNKTYPE, linkname="/etc/passwd"), "'engine/a' is a hard link, not a file"),
        (member("engine/a", tarfile.CHRTYPE, devmajor=1, devminor=3), "'engine/a' is a device, not a file"),
        (member("engine/a", tarfile.BLKTYPE, devmajor=8), "'engine/a' is a device, not a file"),
        (member("engine/a", tarfile.FIFOTYPE), "'engine/a' is a pipe, not a file"),
        (member("engine/" + "a" * 300, size=1), "'engine/aaa"),
        (member("engine/a\nb", size=1), r"'engine/a\\nb' has a name that no worker gives"),
        (member("engine/\x1b[31m", size=1), r"'engine/\\x1b"),
        (member("engine/ä\u202e", size=1), r"'engine/\\xe4\\u202e' has a name"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_worker_writes_is_refused_by_name(tmp_path: Path, one: tarfile.TarInfo, said: str) -> None:
    data = tar(FOLDER, member("engine/model.so", size=9), one)
    assert said.replace("\\\\", "\\") in refusal(tmp_path, data)
    assert (tmp_path / "inner" / "into" / "model.so").read_bytes() == bytes(9)


def test_a_link_is_not_followed_by_a_later_member(tmp_path: Path) -> None:
    link = member("engine/out", tarfile.SYMTYPE, linkname=str(tmp_path))
    assert "symbolic link" in refusal(tmp_path, tar(FOLDER, link, member("engine/out/escaped", size=1)))
    assert not (tmp_path / "escaped").exists()


def test_a_name_with_nul_in_its_extended_header(tmp_path: Path) -> None:
    data = pax(record("path", "engine/a\0b"), then=member("engine/a")) + END
    assert "has a name that no worker gives" in refusal(tmp_path, data)


@pytest.mark.parametrize("form", ["gnu", "posix"])
def test_a_sparse_file_that_claims_ten_gigabytes(tmp_path: Path, form: str) -> None:
    with (tmp_path / "model.so").open("wb") as sparse:
        sparse.truncate(10_000_000_000)
    command = ["tar", f"--format={form}", "--sparse", "-cf", "-", "-C", str(tmp_path), "model.so"]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    (tmp_path / "model.so").unlink()
    assert len(data) < 100_000
    assert "'model.so' is a sparse file, not a file" in refusal(tmp_path, data, limit_bytes=20_000_000_000)


def test_a_size_that_the_extended_header_changes(tmp_path: Path) -> None:
    data = pax(record("size", "10000000000"), then=member("engine/a", size=10)) + END
    assert "'engine/a' would be 10000000000 bytes" in refusal(tmp_path, data)
    data = pax(record("size", "-5"), then=member("engine/a", size=10)) + END
    assert "refused" in refusal(tmp_path, data)
    data = pax(record("size", "ten"), then=member("engine/a", size=10)) + padded(b"0123456789") + END
    assert "refused" in refusal(tmp_path / "2", data)


def test_sizes_are_summed_before_contents_are_read(tmp_path: Path) -> None:
    data = tar(FOLDER, member("engine/a", size=600), member("engine/b", size=600))
    assert "'engine/b' would be 1200 bytes with what came before; at most 1000" in refusal(
        tmp_path, data, limit_bytes=1000
    )
    only_headers = header(member("engine/a", size=5_000_000_000))
    assert "would be 5000000000 bytes" in refusal(tmp_path / "2", only_headers)


def test_a_million_members_stop_at_the_limit_in_little_memory(tmp_path: Path) -> None:
    given: List[int] = []

    def members() -> Iterator[bytes]:
        for index in range(1_000_000):
            given.append(index)
            yield header(member(f"engine/{index}", tarfile.DIRTYPE))

    tracemalloc.start()
    with pytest.raises(RefusedArchive, match="more than 1000 members"):
        archive.extract(members(), tmp_path / "into")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(given) < 10_000, "the rest is not asked for"
    assert peak < 32_000_000


def endless(first: bytes, block: bytes, given: List[int]) -> Iterator[bytes]:
    yield first
    while True:
        given.append(len(block))
        assert sum(given) < 100_000_000, "it would never end"
        yield block


LONG = header(member("././@LongLink", tarfile.GNUTYPE_LONGNAME, 8_000_000_000))
EXTENDED = header(member("pax", tarfile.XHDTYPE, 8_000_000_000))
MAP = pax(record("GNU.sparse.major", "1"), record("GNU.sparse.minor", "0"), then=member("a", size=8_000_000_000))
NESTED = padded(record("comment", "again"))


@pytest.mark.parametrize(
    ("first", "block"),
    [
        (LONG, b"a" * 65536),
        (EXTENDED, b"a" * 65536),
        (MAP + b"999999999\n".ljust(512, b"0"), (b"1\n" * 32768)),
        (MAP + b"999999999\n".ljust(512, b"0"), b"1" * 65536),
        (b"", (header(member("pax", tarfile.XHDTYPE, len(NESTED))) + NESTED) * 64),
        (b"", (header(member("pax", tarfile.XGLTYPE, len(NESTED))) + NESTED) * 64),
        (b"", (header(member("././@LongLink", tarfile.GNUTYPE_LONGNAME, 5)) + padded(b"name\0")) * 64),
    ],
    ids=["long name", "extended header", "sparse map", "sparse number", "nested", "nested for all", "nested names"],
)
def test_headers_that_never_end(tmp_path: Path, first: bytes, block: bytes) -> None:
    given: List[int] = []
    with pytest.raises(RefusedArchive):
        archive.extract(endless(first, block, given), tmp_path / "into")
    assert sum(given) < 8_000_000
    assert not (tmp_path / "into").exists()


WHOLE = tar(FOLDER, member("engine/a", size=600), member("engine/b", size=600))


@pytest.mark.parametrize("end", [0, 100, 512, 700, 1300, 1536, 2048, 2100, 2148, 2560, 2800, 3584])
def test_a_stream_that_ends_early_is_never_taken_for_whole(tmp_path: Path, end: int) -> None:
    """Cut within headers, within contents, and just between two members."""
    assert "it is not a whole archive" in refusal(tmp_path, WHOLE[:end])


def test_damage_in_the_middle_is_not_taken_for_the_end(tmp_path: Path) -> None:
    second = 512 + 512 + 1024
    data = bytearray(WHOLE)
    data[second + 148] ^= 0xFF  # its checksum
    assert "it is not a whole archive" in refusal(tmp_path, bytes(data))


@pytest.mark.parametrize("data", [b"", b"no archive " * 100, b"\xff" * 5000, b"PK\x03\x04" + bytes(2000)])
def test_what_is_no_archive(tmp_path: Path, data: bytes) -> None:
    assert "it is not a whole archive" in refusal(tmp_path, data)


@pytest.mark.parametrize("mode", ["gz", "bz2", "xz"])
def test_compressed_archives_are_not_unpacked(tmp_path: Path, mode: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{mode}") as target:  # type: ignore[call-overload]
        target.addfile(member("engine/zeros", size=50_000_000), io.BytesIO(bytes(50_000_000)))
    assert buffer.tell() < 100_000
    tracemalloc.start()
    assert "it is not a whole archive" in refusal(tmp_path, buffer.getvalue())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000
    assert not (tmp_path / "inner").exists()


@pytest.mark.parametrize(
    "names",
    [("engine/a", "engine/a"), ("engine/a", "engine/a/b"), ("engine/a/b", "engine/a"), ("engine/a", "engine/./a")],
    ids=", ".join,
)
def test_a_name_that_comes_twice(tmp_path: Path, names: "tuple[str, str]") -> None:
    first, second = (member(name, size=1) for name in names)
    assert f"{names[1]!r} comes twice, or is a file and a folder" in refusal(tmp_path, tar(FOLDER, first, second))


def test_what_was_there_before_is_not_written_over(tmp_path: Path) -> None:
    into = tmp_path / "inner" / "into"
    into.mkdir(parents=True)
    (into / "a").write_bytes(b"kept")
    refusal(tmp_path, tar(FOLDER, member("engine/a", size=1)))
    assert (into / "a").read_bytes() == b"kept"


def test_an_error_of_the_connection_is_not_the_archives(tmp_path: Path) -> None:
    def broken(after: Optional[bytes]) -> Iterator[bytes]:
        if after:
            yield after
        raise ConnectionResetError("gone")

    for after in (None, WHOLE[:1300]):
        with pytest.raises(ConnectionResetError):
            archive.extract(broken(after), tmp_path / f"{after is None}")
