"""The log of readings that a sampler writes and a worker reads, and the columns that become an `.npz`.

The log only grows, by whole entries of 18 bytes: channel number, time, value. One number stands for the beginning of a
sweep. A reading that failed is a value that is no number. A last entry that is cut short is left out.
"""

import hashlib
import io
import math
import struct
from array import array
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from harness import upgrades
from harness.records.telemetry import SWEEPS

ENTRY = struct.Struct("<Hqd")
SWEEP = 0xFFFF


class Column(NamedTuple):
    """The readings of one channel, in the order of their times."""

    t_ns: Sequence[int]
    value: Sequence[float]

    def within(self, begin_ns: float, end_ns: float) -> "Column":
        """Those of a time, ends included."""
        kept = [index for index, at in enumerate(self.t_ns) if begin_ns <= at <= end_ns]
        return Column([self.t_ns[index] for index in kept], [self.value[index] for index in kept])


class Series(NamedTuple):
    sweeps_ns: Sequence[int]
    columns: Dict[str, Column]
    """Of channels that gave a reading."""

    def column(self, name: str) -> Column:
        return self.columns.get(name, Column([], []))

    def kind(self, kind: str) -> Dict[str, Column]:
        """`clock` gives `clock/gpu` and its like."""
        return {name: one for name, one in self.columns.items() if name.partition("/")[0] == kind}


def entry(number: int, t_ns: int, value: float) -> bytes:
    return ENTRY.pack(number, t_ns, value)


def read(path: Path, names: Sequence[str], origin_ns: int = 0) -> Series:
    """All whole entries so far, times since `origin_ns`. `names` by number; entries of others are left out."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        data = b""
    sweeps = array("q")
    times = [array("q") for _ in names]
    values = [array("d") for _ in names]
    for number, at, value in ENTRY.iter_unpack(data[: len(data) // ENTRY.size * ENTRY.size]):
        if number == SWEEP:
            sweeps.append(at - origin_ns)
        elif number < len(names) and math.isfinite(value):
            times[number].append(at - origin_ns)
            values[number].append(value)
    columns = {name: Column(times[index], values[index]) for index, name in enumerate(names) if len(times[index])}
    return Series(sweeps, columns)


def save(series: Series, folder: Path) -> Tuple[str, str]:
    """Writes the columns as records/telemetry.py has them, named by their content; (name, sha256)."""
    import numpy  # the sampler has no need of it, the worker has it already

    arrays = {f"{SWEEPS}:t_ns": numpy.array(series.sweeps_ns, numpy.int64)}
    for name, column in series.columns.items():
        arrays[f"{name}:t_ns"] = numpy.array(column.t_ns, numpy.int64)
        arrays[f"{name}:value"] = numpy.array(column.value, numpy.float64)
    buffer = io.BytesIO()
    numpy.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    sha256 = hashlib.sha256(buffer.getvalue()).hexdigest()
    name = f"{sha256[:16]}.npz"
    upgrades.write_bytes(folder / name, buffer.getvalue())
    return name, sha256


def update_s(column: Column) -> Optional[float]:
    """Median time between two changes of value; None below two changes."""
    changes = [at for at, old, new in zip(column.t_ns[1:], column.value, column.value[1:]) if new != old]
    apart = sorted(late - early for early, late in zip(changes, changes[1:]))
    return apart[len(apart) // 2] / 1e9 if apart else None


def largest_gap_s(times_ns: Sequence[int], begin_ns: int, end_ns: int) -> Optional[float]:
    """Longest time without one of `times_ns` between begin and end, both ends counted; None where there is none at all.

    The nearest time before the begin and after the end count too: a gap that reaches in from outside is a gap.
    """
    if not times_ns:
        return None
    before = [at for at in times_ns if at < begin_ns][-1:] or [begin_ns]
    after = [at for at in times_ns if at > end_ns][:1] or [end_ns]
    inside = [at for at in times_ns if begin_ns <= at <= end_ns]
    known = [*before, *inside, *after]
    return max(late - early for early, late in zip(known, known[1:])) / 1e9


def deltas(column: Column, wraps_at: Optional[float]) -> List[Tuple[int, int, float]]:
    """(from, to, growth) of a counter between neighbours in time.

    A counter that got smaller began anew: past its last value where it was in the upper half of its range and is in the
    lower one now; otherwise someone has set it back, and nothing is known of that time.
    """
    found = []
    for (early, old), (late, new) in zip(zip(column.t_ns, column.value), zip(column.t_ns[1:], column.value[1:])):
        growth = new - old
        if growth < 0:
            if wraps_at is None or not (old > wraps_at / 2 > new):
                continue
            growth += wraps_at
        found.append((early, late, growth))
    return found
