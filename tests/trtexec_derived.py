"""Files as trtexec's --exportTimes writes them, derived from its source: no file of a real device is here yet.

Source: exportJSONTrace of samples/common/sampleReporting.cpp, NVIDIA/TensorRT tags 8.2.1 to v11.1. Moments and
differences are single precision; a C++ stream writes six digits of each. `python -m tests.trtexec_derived` writes the
fixtures under tests/trtexec/.
"""

import random
from pathlib import Path
from typing import List, NamedTuple, Tuple

import numpy

FOLDER = Path(__file__).parent / "trtexec"
FIXTURES = {"derived-8.2-n200.json": (200, (8, 2)), "derived-10.3-n100.json": (100, (10, 3))}


class Moments(NamedTuple):
    """Of one query, in ms."""

    enqueue: Tuple[numpy.float32, numpy.float32]
    h2d: Tuple[numpy.float32, numpy.float32]
    compute: Tuple[numpy.float32, numpy.float32]
    d2h: Tuple[numpy.float32, numpy.float32]


def times(count: int, compute_ms: float = 4.4, seed: int = 1) -> List[Moments]:
    """Queries one after the other, a few hundredths apart from each other, every tenth one slower by a twentieth."""
    draw, now, found = random.Random(seed), 0.02, []
    for number in range(count):
        took = compute_ms * (1 + draw.gauss(0, 0.002) + (0.05 if number % 10 == 9 else 0))
        edges = [now, now + 0.31 + draw.gauss(0, 0.002)]
        edges += [edges[-1] + 0.004, edges[-1] + 0.004 + took]
        edges += [edges[-1] + 0.006, edges[-1] + 0.006 + 0.12 + draw.gauss(0, 0.001)]
        host = (now + 0.03, now + 0.03 + 0.24 + draw.gauss(0, 0.005))
        single = [numpy.float32(one) for one in (*host, *edges)]
        found.append(Moments(*zip(single[::2], single[1::2])))  # type: ignore[arg-type]
        now = edges[-1] + 0.02
    return found


def text(queries: List[Moments], version: Tuple[int, int]) -> str:
    """The file's text; up to 8.2 a query has an endToEndMs too."""
    return "[\n  " + ", ".join(f"{{ {_query(one, version)} }}\n" for one in queries) + "]\n"


def _query(one: Moments, version: Tuple[int, int]) -> str:
    parts = []
    for name, (start, end) in zip(("Enq", "H2d", "Compute", "D2h"), one):
        parts += [(f"start{name}Ms", start), (f"end{name}Ms", end)]
    h2d, compute, d2h = (end - start for start, end in one[1:])
    parts += [("h2dMs", h2d), ("computeMs", compute), ("d2hMs", d2h), ("latencyMs", h2d + compute + d2h)]
    if version <= (8, 2):
        parts.append(("endToEndMs", one.d2h[1] - one.h2d[0]))
    return ", ".join(f'"{name}" : {value:.6g}' for name, value in parts)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file, (count, version) in FIXTURES.items():
        (FOLDER / file).write_text(text(times(count), version))
