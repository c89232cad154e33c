"""What TVM's rules for a GPU leave open, as numbers and back: `tiles.py` judges numbers, TVM takes traces."""

import json
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy

from harness.backends._tvm_generation import part
from harness.backends._tvm_tuning.tiles import REDUCED_PARTS, SPATIAL_PARTS, Access, Nest
from harness.backends._tvm_tuning.traces import written

AHEAD = "software_pipeline_stage"
"""What TVM writes on a loop whose next stage is fetched while this one computes."""
STRUCTURE = "SSSRRSRS"
"""Of the tiles, as TVM's rules for CUDA write it on a block."""
REDUCED = 2
"""The kind of iterator that TVM gives a loop which is summed over."""


class Choice(NamedTuple):
    """All that one schedule decides."""

    sketch: int
    spatial: Tuple[Tuple[int, ...], ...]
    reduced: Tuple[Tuple[int, ...], ...]
    vectors: Tuple[int, ...]
    """For each tensor that is fetched, how many elements a thread moves at once."""
    unroll: int
    """The most steps that a loop is unrolled to."""


class Sketch:
    """One of the shapes that the rules offer: a trace whose decisions are to be made."""

    def __init__(self, schedule: Any) -> None:
        self._insts = list(schedule.trace.insts)
        self._tiles = [one for one in self._insts if one.kind.name == "SamplePerfectTile"]
        offered = [one for one in self._insts if one.kind.name == "SampleCategorical"]
        self._offered = [(one, [int(value) for value in one.attrs[0]]) for one in offered]
        self._known = set(self._tiles) | set(offered)
        self.parts = [int(one.attrs[0]) for one in self._tiles]
        """Of each loop that is tiled, in their order."""
        text = written(schedule.trace)
        self.shape, self.fetches_ahead = shape(text), AHEAD in text
        self.lengths = [values for _, values in self._offered[:-1]]
        """For each tensor that is fetched, what `Choice.vectors` may be."""
        self.unrolls = self._offered[-1][1] if self._offered else []

    def block(self) -> Optional[str]:
        """Name of the one block that is tiled; None where the sketch decides anything that a Choice does not."""
        named: Dict[Any, str] = {}
        structures, fetches = [], 0
        for one in self._insts:
            if one.kind.name in ("GetSBlock", "GetBlock"):
                named[one.outputs[0]] = str(one.attrs[0])
            if one.kind.name == "Annotate" and str(one.attrs[0]) == "meta_schedule.tiling_structure":
                structures.append((named.get(one.inputs[0]), str(one.inputs[1])))
            if one.kind.name == "Annotate" and str(one.attrs[0]) == "meta_schedule.cooperative_fetch":
                fetches += 1
        others = [one for one in self._insts if one.kind.name.startswith("Sample") and one not in self._known]
        whole = fetches == len(self.lengths) > 0 and not others and bool(self.unrolls)
        return structures[0][0] if whole and len(structures) == 1 and structures[0][1] == STRUCTURE else None

    def trace(self, choice: Choice) -> Any:
        decisions: Dict[Any, Any] = dict(zip(self._tiles, [list(one) for one in (*choice.spatial, *choice.reduced)]))
        for (one, values), value in zip(self._offered, (*choice.vectors, choice.unroll)):
            decisions[one] = values.index(value)
        return part("schedule").Trace(self._insts, decisions)

    def chosen(self, trace: str, place: int) -> Choice:
        """What a written trace of this sketch's shape decides; `place` is the sketch's."""
        insts, decisions = json.loads(trace)
        tiles: Dict[int, List[Tuple[int, ...]]] = {SPATIAL_PARTS: [], REDUCED_PARTS: []}
        places: List[int] = []
        for index, decision in decisions:
            if insts[index][0] == "SamplePerfectTile":
                tiles[len(decision)].append(tuple(int(one) for one in decision))
            else:
                places.append(int(decision))
        *vectors, unroll = [values[place] for (_, values), place in zip(self._offered, places)]
        return Choice(place, tuple(tiles[SPATIAL_PARTS]), tuple(tiles[REDUCED_PARTS]), tuple(vectors), unroll)


def nest_of(module: Any, block: str) -> Optional[Nest]:
    """The loops around a block as they are before any schedule; None where it does not read single elements, at sums of
    loops, and add them up."""
    schedule = part("schedule").Schedule(module)
    get = schedule.get_sblock if hasattr(schedule, "get_sblock") else schedule.get_block
    found = schedule.get(get(block))
    kinds = [int(one.iter_type) == REDUCED for one in found.iter_vars]
    if kinds != sorted(kinds) or not any(kinds):
        return None
    places = {one.var: place for place, one in enumerate(found.iter_vars)}
    extents = [int(one.dom.extent) for one in found.iter_vars]
    spatial = kinds.count(False)
    try:
        reads = tuple(_access(one, places) for one in found.reads)
    except ValueError:
        return None
    return Nest(tuple(extents[:spatial]), tuple(extents[spatial:]), reads)


def _access(region: Any, places: Dict[Any, int]) -> Access:
    tensor = region.buffer if hasattr(region, "buffer") else region.source
    bits = int("".join(letter for letter in str(tensor.dtype) if letter.isdigit()))
    if not region.region or any(type(one.extent).__name__ != "IntImm" or int(one.extent) != 1 for one in region.region):
        raise ValueError("not one element of a tensor with dimensions")
    dims = tuple(tuple(_steps(one.min, places).items()) for one in region.region)
    return Access(max(1, bits // 8), dims)


def _steps(index: Any, places: Dict[Any, int], by: int = 1) -> Dict[int, int]:
    """By how many elements an index moves for a step of each loop; raises ValueError where that is not one number."""
    kind = type(index).__name__
    if index in places:
        return {places[index]: by}
    if kind == "IntImm":
        return {}
    if kind in ("Add", "Sub"):
        found = _steps(index.a, places, by)
        for loop, step in _steps(index.b, places, by if kind == "Add" else -by).items():
            found[loop] = found.get(loop, 0) + step
        return found
    if kind == "Mul" and type(index.b).__name__ == "IntImm":
        return _steps(index.a, places, by * int(index.b))
    if kind == "Cast":
        return _steps(index.value, places, by)
    raise ValueError(f"{kind} in an index")


def shape(trace: str) -> str:
    """A written trace without its decisions, and without what TVM adds to every schedule in the end."""
    insts = json.loads(trace)[0]
    ends = [place for place, one in enumerate(insts) if one[0] == "EnterPostproc"]
    return json.dumps(insts[: ends[0]] if ends else insts)


def arrays(choices: Sequence[Choice]) -> Tuple[Any, Any]:
    """(n, loops, 5) and (n, loops, 3)."""
    spatial = numpy.array([one.spatial for one in choices], dtype=numpy.int32)
    return spatial, numpy.array([one.reduced for one in choices], dtype=numpy.int32)
