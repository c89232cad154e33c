"""What sensors told during a cell, as a file beside its result: fetched from where it was measured, checked, read.

A container's word is not trusted: the file's name follows from its content, and its content is that which the result
names. Only this module reads it.
"""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Callable, Dict, NamedTuple, Optional

import msgspec
import numpy

from harness import upgrades
from harness.errors import RecordError, RefusedArchive
from harness.records import Result, Telemetry

MOST_BYTES = 1 << 29
"""Unpacked: many times what a sampler writes at its most."""
FOLDER = "sensors"
"""Of a worker's own folder, where it and its sampler write."""
Read = Callable[[str], Optional[bytes]]
"""A file of that worker's folder; None where there is none. May raise RefusedArchive."""


class Column(NamedTuple):
    t_ns: numpy.ndarray
    """Nanoseconds since the first iteration's start, negative before it; int64."""
    value: numpy.ndarray
    """In the channel's unit; float64."""


Columns = Dict[str, Column]
"""By channel."""


def keep(result: Result, read: Read, folder: Path) -> Result:
    """Writes the readings that the result names into `folder`; the result as it is then true.

    Readings that are missing or others than named cost the cell nothing else: its verdicts were drawn beside the
    sensors.
    """
    telemetry = result.telemetry
    if telemetry is None or not telemetry.arrays:
        return result
    try:
        data = read(f"{FOLDER}/{name(telemetry)}")
        why = "" if data is not None else "the readings were not there any more"
        if data is not None and hashlib.sha256(data).hexdigest() != telemetry.arrays_sha256:
            why = "the readings were refused: they are not those that the result names"
    except RefusedArchive as error:
        data, why = None, f"the readings were refused: {error}"
    if data is None or why:
        reason = "; ".join(one for one in (telemetry.reason, why) if one)
        lost = msgspec.structs.replace(telemetry, arrays="", arrays_sha256="", reason=reason)
        return msgspec.structs.replace(result, telemetry=lost)
    upgrades.write_bytes(folder / name(telemetry), data)
    return msgspec.structs.replace(result, telemetry=msgspec.structs.replace(telemetry, arrays=name(telemetry)))


def name(telemetry: Telemetry) -> str:
    """Made of the hash and never of the name that somebody wrote: it becomes a path."""
    digits = telemetry.arrays_sha256[:16]
    return f"{digits if digits.isalnum() and digits.isascii() else 'none'}.npz"


def load(telemetry: Telemetry, folder: Path) -> Columns:
    """The columns of a result that lies in `folder`; empty where it has none.

    Raises RecordError where the file is gone, or not the one that the result names.
    """
    if not telemetry.arrays:
        return {}
    path = folder / name(telemetry)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise RecordError(f"{path} is gone: what sensors told of this cell cannot be shown") from None
    if hashlib.sha256(data).hexdigest() != telemetry.arrays_sha256:
        raise RecordError(f"{path} was changed after it was written: its sha256 differs")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(one.file_size for one in archive.infolist()) > MOST_BYTES:
                raise RecordError(f"{path} holds more than {MOST_BYTES >> 20} MiB of readings: nobody wrote them here")
        with numpy.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {one: file[one] for one in file.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise RecordError(f"{path} is no file of readings: {error}") from None
    found = {}
    for one in telemetry.channels:
        times, values = arrays.get(f"{one.name}:t_ns"), arrays.get(f"{one.name}:value")
        if times is not None and values is not None and times.shape == values.shape and times.ndim == 1:
            found[one.name] = Column(times.astype(numpy.int64), values.astype(numpy.float64))
    return found
