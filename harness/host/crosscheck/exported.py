"""Reads what trtexec's --exportTimes writes, strictly; only this module knows the format and what it cannot tell.

Sources: exportJSONTrace of samples/common/sampleReporting.cpp, NVIDIA/TensorRT tags 8.2.1 to v11.1. Derived from those:
no file of a real device has been read by this project yet.
"""

import math
from pathlib import Path
from typing import List, NamedTuple, Union

import msgspec
import numpy
from msgspec import UNSET, UnsetType

from harness.errors import RecordError
from harness.records import Record

DIGITS = 6
"""Of every number in the file: a C++ stream's default. A moment 100 s after the start is known to a tenth of a ms."""
OWN_WARM_UP_MS = 200.0
"""trtexec's warm-up unless it is told otherwise."""
CURE = "trtexec was ended while it wrote, or the file was changed since; export it again"


def _spelled(name: str) -> str:
    """`start_h2d_ms` as `startH2dMs`."""
    first, *others = name.split("_")
    return first + "".join(word[0].upper() + word[1:] for word in others)


class Query(Record, frozen=True, rename=_spelled):
    """One inference: moments in ms since one start; differences by trtexec, in single precision and before rounding."""

    start_enq_ms: float
    """On the host's clock, like the next; all others are CUDA events."""
    end_enq_ms: float
    start_h2d_ms: float
    end_h2d_ms: float
    start_compute_ms: float
    end_compute_ms: float
    start_d2h_ms: float
    end_d2h_ms: float
    h2d_ms: float
    compute_ms: float
    d2h_ms: float
    latency_ms: float
    """The sum of the three before it: queueing between them is not in it."""
    end_to_end_ms: Union[float, UnsetType] = UNSET
    """Up to 8.2 only."""


class Exported(NamedTuple):
    queries: List[Query]
    """In the order in which their inputs were sent."""

    @property
    def oldest(self) -> bool:
        """Whether 8.2 or an older version wrote it. (Up to 8.4 warm-up queries are in the file too.)"""
        return self.queries[0].end_to_end_ms is not UNSET

    def last(self, count: int) -> "Exported":
        return Exported(self.queries[-count:])

    def early(self, limit_ms: float = OWN_WARM_UP_MS) -> int:
        """How many began to compute within so many ms of the start."""
        return sum(query.start_compute_ms < limit_ms for query in self.queries)

    def column(self, name: str) -> List[float]:
        return [getattr(query, name) for query in self.queries]

    @property
    def enqueue_ms(self) -> List[float]:
        """Of rounded moments: see `resolution_ms`."""
        return [query.end_enq_ms - query.start_enq_ms for query in self.queries]

    @property
    def span_ms(self) -> float:
        """From the first transfer to the last: what trtexec calls Total Host Walltime."""
        return self.queries[-1].end_d2h_ms - self.queries[0].start_h2d_ms

    @property
    def resolution_ms(self) -> float:
        """What the last difference of two single-precision moments is known to, before rounding."""
        return float(numpy.spacing(numpy.float32(self.queries[-1].end_d2h_ms)))


def read(path: Path) -> Exported:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from None
    return decode(data, path.name)


def decode(data: bytes, where: str) -> Exported:
    """Raises RecordError, which names the first query that cannot be, for anything but a whole file."""
    try:
        queries = msgspec.json.decode(data, type=List[Query])
    except msgspec.ValidationError as error:
        raise RecordError(f"{where} is not what trtexec's --exportTimes writes: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(f"{where} is no whole --exportTimes file ({error}): {CURE}") from None
    if not queries:
        raise RecordError(f"{where} holds no query: trtexec had none after its warm-up; give it more --iterations")
    if len({query.end_to_end_ms is UNSET for query in queries}) != 1:
        raise RecordError(f"{where}: some queries have endToEndMs and some have not: no version writes that")
    for number, query in enumerate(queries, start=1):
        wrong = _wrong(query)
        if wrong:
            raise RecordError(f"{where}: query {number}: {wrong}: {CURE}")
    for number, (before, after) in enumerate(zip(queries, queries[1:]), start=2):
        if after.start_h2d_ms < before.start_h2d_ms:
            raise RecordError(f"{where}: query {number} starts before the one in front of it: {CURE}")
    return Exported(queries)


def _wrong(query: Query) -> str:
    """What cannot be in one query; empty where nothing is wrong."""
    for name, start, end in (
        ("Enq", query.start_enq_ms, query.end_enq_ms),
        ("H2d", query.start_h2d_ms, query.end_h2d_ms),
        ("Compute", query.start_compute_ms, query.end_compute_ms),
        ("D2h", query.start_d2h_ms, query.end_d2h_ms),
    ):
        if end < start or start < 0:
            return f"start{name}Ms {start:g} and end{name}Ms {end:g} cannot both be"
    for name, length, start, end in (
        ("h2dMs", query.h2d_ms, query.start_h2d_ms, query.end_h2d_ms),
        ("computeMs", query.compute_ms, query.start_compute_ms, query.end_compute_ms),
        ("d2hMs", query.d2h_ms, query.start_d2h_ms, query.end_d2h_ms),
    ):
        if not math.isclose(length, end - start, abs_tol=rounding_ms(end, length)):
            return f"{name} {length:g} is not the {end - start:g} ms between its two moments"
    whole = query.h2d_ms + query.compute_ms + query.d2h_ms
    if not math.isclose(query.latency_ms, whole, abs_tol=4 * rounding_ms(whole)):
        return f"latencyMs {query.latency_ms:g} is not the sum of its three parts, {whole:g}"
    return ""


def rounding_ms(*values: float) -> float:
    """The most by which a difference can be off that was taken before all of these were rounded to six digits."""
    largest = max(abs(value) for value in values)
    return 2.0 * 10.0 ** (math.floor(math.log10(largest)) + 1 - DIGITS) if largest > 0 else 0.0
