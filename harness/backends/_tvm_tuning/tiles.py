"""How long a GPU takes for loops, estimated from their tile sizes alone: what a schedule is worth before it is made.

The nest is cut as TVM's rules for CUDA cut it (`SSSRRSRS`): blocks, virtual threads, threads, two levels in a thread,
and reductions in three levels, of which the first is a stage: its inputs are fetched into shared memory, then used.
How the limits of a multiprocessor add up is a rough model, which `guided.py` corrects by what was measured.
"""

import functools
from typing import Any, List, NamedTuple, Sequence, Tuple

import numpy

from harness.backends._tvm_tuning.gpus import Gpu

SPATIAL_PARTS, REDUCED_PARTS = 5, 3
"""That the structure cuts a loop of each kind into."""
LANES = 32
ISSUED = 4
"""Instructions of warps that a multiprocessor begins in a cycle, of whatever kind."""
MOST_THREADS, MOST_OUTPUTS = 1024, 128
REGISTERS, SHARED_OF_BLOCK = 65536, 48 * 1024
BANK_BYTES = 4

# Fitted to 741 schedules of YOLOv5s's convolutions, measured on an H100: there the estimate is within a quarter of the
# time for two of three. On Jetsons they were not tried.
SHARED_BYTES = 40 * 1024
"""Of a multiprocessor, that its blocks share before they stop hiding each other's waits."""
FETCH_INSTRUCTIONS = 30
"""To find out which element a thread fetches, and to move it."""
STAGE_INSTRUCTIONS = 20
LATENCY = 740.0
"""Cycles from a fetch to the use of what it brought, with both barriers."""
BLURRED = 0.1
"""Of what is not the narrowest, which is not hidden behind it."""


class Access(NamedTuple):
    """How a nest reads one tensor."""

    bytes: int
    """Of an element."""
    dims: Tuple[Tuple[Tuple[int, int], ...], ...]
    """For each dimension: the loops that it moves with, by place, and by how many elements for a step of each."""


class Nest(NamedTuple):
    """Loops around one statement; places count the spatial ones first."""

    spatial: Tuple[int, ...]
    reduced: Tuple[int, ...]
    reads: Tuple[Access, ...]


class Judged(NamedTuple):
    cycles: Any
    """(n,): of the whole nest; infinite where a limit is broken."""
    features: Any
    """(n, f): logarithms of what the estimate is made of, and of the tile sizes' products."""


@functools.lru_cache(maxsize=None)
def factorisations(extent: int, parts: int, innermost: int = 64) -> Any:
    """(m, parts): every way to write `extent` as a product, the last factor at most `innermost`."""
    rows: List[Tuple[int, ...]] = []

    def grow(left: int, row: Tuple[int, ...]) -> None:
        if len(row) == parts - 1:
            if left <= innermost:
                rows.append((*row, left))
            return
        for factor in range(1, left + 1):
            if left % factor == 0:
                grow(left // factor, (*row, factor))

    grow(extent, ())
    return numpy.array(rows, dtype=numpy.int32)


def judge(nest: Nest, spatial: Any, reduced: Any, gpu: Gpu) -> Judged:
    """`spatial` is (n, loops, 5) factors, `reduced` (n, loops, 3)."""
    blocks, virtual, threads = (spatial[:, :, part].prod(1, dtype=float) for part in range(3))
    inner = spatial[:, :, 3] * spatial[:, :, 4]
    outputs = virtual * inner.prod(1, dtype=float)  # of a thread
    stages = reduced[:, :, 0].prod(1, dtype=float)
    middle, innermost = (reduced[:, :, part].prod(1, dtype=float) for part in (1, 2))
    tile = numpy.concatenate([spatial[:, :, 1:].prod(2), reduced[:, :, 1:].prod(2)], axis=1)
    own = numpy.concatenate([inner, reduced[:, :, 2]], axis=1)

    warps = numpy.ceil(threads / LANES)
    shared = numpy.zeros(len(blocks))
    fetched, loads, wavefronts = numpy.zeros(len(blocks)), numpy.zeros(len(blocks)), numpy.zeros(len(blocks))
    for access in nest.reads:
        held = _extents(access, tile)
        elements = held.prod(1, dtype=float)
        loops = sorted({loop for dim in access.dims for loop, _ in dim if loop < len(nest.spatial)})
        distinct = _extents(access, own).prod(1, dtype=float) * spatial[:, loops, 1].prod(1, dtype=float)
        shared += elements * access.bytes
        fetched += elements
        loads += distinct * middle
        wavefronts += distinct * middle * _conflicts(access, held, spatial)
    work = outputs * middle * innermost  # multiply-adds of a thread in a stage
    fetches = fetched / threads
    on_one = numpy.ceil(blocks / gpu.processors)
    registers = numpy.minimum(outputs + own[:, : len(nest.spatial)].sum(1) + 40, 255)
    resident = numpy.minimum.reduce(
        [
            numpy.full(len(blocks), float(gpu.blocks)),
            numpy.floor(gpu.warps / warps),
            numpy.floor(REGISTERS / (warps * LANES * registers)),
            numpy.maximum(1.0, numpy.floor(SHARED_BYTES / numpy.maximum(shared, 1.0))),
        ]
    )
    together = numpy.clip(numpy.minimum(resident, on_one), 1.0, None)
    instructions = work + loads + FETCH_INSTRUCTIONS * fetches + STAGE_INSTRUCTIONS
    issue = on_one * stages * warps * numpy.maximum(instructions / ISSUED, work / gpu.multiply_adds)
    banks = on_one * stages * warps * (wavefronts + 2.0 * fetches)
    latency = numpy.ceil(on_one / together) * stages * (LATENCY + instructions)
    terms = numpy.stack([issue, banks, latency])
    cycles = terms.max(0) + BLURRED * (terms.sum(0) - terms.max(0))
    broken = (threads < LANES) | (threads > MOST_THREADS) | (outputs > MOST_OUTPUTS)
    broken |= (shared > SHARED_OF_BLOCK) | (resident < 1)
    full = threads / (warps * LANES)
    sizes = [blocks, virtual, threads, outputs, stages, middle, innermost, shared, fetches, loads, wavefronts, work]
    more = [together, on_one, blocks / (on_one * gpu.processors), full, work / loads, wavefronts / loads, cycles]
    features = numpy.log2(numpy.stack([*terms, *sizes, *more], axis=1))
    return Judged(numpy.where(broken, numpy.inf, cycles), features)


def _extents(access: Access, loops: Any) -> Any:
    """(n, dims): elements from the first to the last that are touched while each loop makes (n, loops) steps."""
    columns = []
    for dim in access.dims:
        extent = numpy.ones(len(loops), dtype=numpy.int64)
        for loop, step in dim:
            extent += abs(step) * (loops[:, loop].astype(numpy.int64) - 1)
        columns.append(extent)
    return numpy.stack(columns, axis=1)


def _conflicts(access: Access, held: Any, spatial: Any) -> Any:
    """(n,): how often the banks of shared memory are asked when the first warp loads an element each."""
    strides = numpy.ones_like(held)
    strides[:, :-1] = numpy.cumprod(held[:, :0:-1], axis=1)[:, ::-1]
    lane = numpy.arange(LANES)[None, :]
    left = numpy.broadcast_to(lane, (len(held), LANES)).copy()
    at = {}
    for loop in range(spatial.shape[1] - 1, -1, -1):  # the last loop's threads lie side by side
        count = spatial[:, loop, 2].astype(numpy.int64)[:, None]
        at[loop] = (left % count) * (spatial[:, loop, 3] * spatial[:, loop, 4])[:, None]
        left = left // count
    address = numpy.zeros((len(held), LANES), dtype=numpy.int64)
    for place, dim in enumerate(access.dims):
        for loop, step in dim:
            if loop in at:
                address += strides[:, place : place + 1] * step * at[loop]
    word = address * access.bytes // BANK_BYTES
    word.sort(axis=1)
    first = numpy.ones_like(word, dtype=bool)
    first[:, 1:] = word[:, 1:] != word[:, :-1]
    banks = numpy.arange(len(held))[:, None] * LANES + word % LANES
    return numpy.bincount(banks[first], minlength=len(held) * LANES).reshape(-1, LANES).max(1)


def drawn(nest: Nest, count: int, chance: Any, like: Sequence[Tuple[Any, Any]] = ()) -> Tuple[Any, Any]:
    """Different tile sizes by chance, up to `count` and an eighth; (n, loops, 5) and (n, loops, 3).

    The eighth differs from those of `like` in up to two loops.
    """
    spatial = [factorisations(extent, SPATIAL_PARTS) for extent in nest.spatial]
    reduced = [factorisations(extent, REDUCED_PARTS) for extent in nest.reduced]

    def take(tables: List[Any], n: int) -> Any:
        return numpy.stack([table[chance.integers(len(table), size=n)] for table in tables], axis=1)

    outer, inner = [take(spatial, count)], [take(reduced, count)]
    tables = [*spatial, *reduced]
    movable = [place for place, table in enumerate(tables) if len(table) > 1]
    for one, other in like if movable else ():
        n = count // (8 * len(like))
        bred = [numpy.repeat(part[None], n, axis=0) for part in (one, other)]
        for _ in range(2):
            chosen = chance.choice(movable, size=n)
            for place in movable:
                rows = numpy.flatnonzero((chosen == place) & (chance.random(n) < 0.75))
                drawn_rows = tables[place][chance.integers(len(tables[place]), size=len(rows))]
                if place < len(spatial):
                    bred[0][rows, place] = drawn_rows
                else:
                    bred[1][rows, place - len(spatial)] = drawn_rows
        outer.append(bred[0])
        inner.append(bred[1])
    found = numpy.concatenate(outer), numpy.concatenate(inner)
    flat = numpy.concatenate([part.reshape(len(part), -1) for part in found], axis=1)
    kept = numpy.unique(flat, axis=0, return_index=True)[1]
    return found[0][kept], found[1][kept]
