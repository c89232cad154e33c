"""A task's schedules as the search asks for them, where `guided.py` chooses: choices become code and teach by times."""

from typing import Any, List, Optional, Sequence, Tuple

from harness.backends._tvm_tuning import nests, tiles
from harness.backends._tvm_tuning.generation import Candidate, How, Rules
from harness.backends._tvm_tuning.gpus import Gpu
from harness.backends._tvm_tuning.guided import Correction, Guide
from harness.backends._tvm_tuning.nests import Choice, Sketch
from harness.schedules import median

ROUNDS = 6
"""Of choosing for one batch, where rules that are no matter of tile sizes let few schedules pass."""


class GuidedSpace:
    """Takes the place of `generation.Space`; make it with `space_of`."""

    def __init__(self, rules: Rules, sketches: List[Sketch], guide: Guide, batch: int) -> None:
        self._rules, self._sketches, self._guide, self._batch = rules, sketches, guide, batch

    def propose(self) -> List[Candidate]:
        found: List[Candidate] = []
        for _ in range(ROUNDS):
            chosen = self._guide.propose(self._batch - len(found))
            for one in chosen:
                candidate = self._rules.finished(self._sketches[one.sketch].trace(one), one)
                if candidate is not None:
                    found.append(candidate)
            if len(found) == self._batch or not chosen:
                break
        if not found and self._rules.failed is not None:
            raise self._rules.failed
        return found

    def learn(self, proposals: Sequence[Candidate], times_s: Sequence[Sequence[float]]) -> None:
        """Times of a batch that was proposed, in its order; no times where a candidate had none."""
        self._guide.learn([one.live for one in proposals], [median(one) for one in times_s])

    def remember(self, trace: str, args_info: str, times_s: Sequence[float]) -> Optional[Choice]:
        """The choice that a trial of an earlier job was; None where its shape is none of this space, such as one that
        TVM's own search found: it may unroll to other steps."""
        wanted = nests.shape(trace)
        for place, sketch in enumerate(self._sketches):
            if sketch.shape == wanted:
                return sketch.chosen(trace, place)
        return None

    def recall(self, remembered: Sequence[Tuple[Choice, Sequence[float]]]) -> None:
        self._guide.learn([choice for choice, _ in remembered], [median(times) for _, times in remembered])


def space_of(module: Any, target: Any, name: str, how: How, correction: Correction, gpu: Gpu) -> Optional[GuidedSpace]:
    """None where a task's loops are not of the kind that can be judged, or too few: TVM's own search is for those."""
    rules = Rules(module, target, name, how)
    sketches = [Sketch(one) for one in rules.sketches()]
    blocks = {one.block() for one in sketches}
    block = blocks.pop() if len(blocks) == 1 else None
    nest = None if block is None else nests.nest_of(module, block)
    if nest is None:
        return None
    parts = [tiles.SPATIAL_PARTS] * len(nest.spatial) + [tiles.REDUCED_PARTS] * len(nest.reduced)
    if any(one.parts != parts for one in sketches):
        return None
    guide = Guide(name, nest, sketches, gpu, correction, how.seed)
    return GuidedSpace(rules, sketches, guide, how.batch) if guide.finds() else None
