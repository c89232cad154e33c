"""A search that makes only schedules worth making: thousands of tile sizes are judged as numbers, the best become code.

TVM's evolutionary search draws tiles blindly and makes each schedule to find out; for a GPU nine of ten break a limit.
Here `tiles.judge` says what a schedule costs before it is made, and boosted trees learn by how much that is wrong.
"""

from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

import numpy

from harness.backends._tvm_tuning import nests, tiles
from harness.backends._tvm_tuning.gpus import Gpu
from harness.backends._tvm_tuning.nests import Choice, Nest, Sketch

DRAWN = 24_000
"""Tile sizes by chance that are judged at a time; a few of a hundred keep all limits."""
LIKE = 8
"""Of the best known, from which others are bred."""
CHANCE_SHARE = 0.2
"""Of a batch, drawn from the PROMISING best in place of taking the very best."""
PROMISING = 200
CORRECTED = 8 * PROMISING
"""The best by the estimate alone: what is far from good is not corrected."""
OTHER_SKETCHES = 0.4
"""Of what is judged, of any of the rules' shapes: some fetch ahead, which the estimate knows nothing of."""
VECTORS = (1, 1, 2, 4)
"""Elements that a thread fetches at once: one as often as several."""
LEAST = 24
"""Times from which the correction is learned."""
LOOPS = 3
"""Of each kind, the innermost spatial ones, whose tile sizes the trees see one by one."""
ROUNDS = 150
SETTINGS = {"max_depth": 6, "eta": 0.08, "min_child_weight": 2.0, "subsample": 0.8, "verbosity": 0}
"""With these the trees put later trials of YOLOv5s on an H100 best into order, when trained on the earlier ones."""


class Correction:
    """By how much the estimate is wrong, learned from all tasks of a process."""

    def __init__(self, kind: str, threads: int, seed: int) -> None:
        """`kind` is a cost model's name; with `random` nothing is learned."""
        self._learns = kind != "random"
        self._settings = {**SETTINGS, "nthread": threads, "seed": seed}
        self._known: Dict[str, Tuple[Any, Any, Any]] = {}
        self._booster: Any = None

    def learn(self, task: str, rows: Any, cycles: Any, times_s: Any) -> None:
        """All that is known of one task: features, estimates and times of schedules; in place of what was known."""
        wrong = numpy.log2(times_s / cycles)
        self._known[task] = rows, wrong, numpy.maximum(0.05, times_s.min() / times_s)
        self._booster = None

    def of(self, rows: Any) -> Any:
        """(n,): the logarithm of what to multiply each estimate with, but for what is the same for all."""
        known = list(self._known.values())
        if not self._learns or sum(len(one) for one, _, _ in known) < LEAST:
            return numpy.zeros(len(rows))
        import xgboost

        if self._booster is None:
            seen, wrong, weights = (numpy.concatenate(each) for each in zip(*known))
            matrix = xgboost.DMatrix(seen.astype("float32"), label=wrong - numpy.median(wrong), weight=weights)
            self._booster = xgboost.train({**self._settings, "base_score": 0.0}, matrix, ROUNDS)
        return self._booster.predict(xgboost.DMatrix(rows.astype("float32")))


class Guide:
    """Chooses tile sizes for one task."""

    def __init__(
        self, task: str, nest: Nest, sketches: Sequence[Sketch], gpu: Gpu, correction: Correction, seed: int
    ) -> None:
        """`task` is its name, one of its own in a job."""
        self._task, self._nest, self._sketches, self._gpu, self._correction = task, nest, sketches, gpu, correction
        self._plain = next((place for place, one in enumerate(sketches) if not one.fetches_ahead), 0)
        self._chance = numpy.random.default_rng(seed)
        self._tried: Set[Choice] = set()
        self._times: Dict[Choice, float] = {}

    def finds(self) -> bool:
        """Whether tile sizes by chance keep the limits: those of a few loops hardly fill a warp."""
        return len(self._sound([])[0]) > 0

    def propose(self, count: int) -> List[Choice]:
        """Up to so many that were not proposed before, the most promising first."""
        best = sorted(self._times, key=self._times.__getitem__)[:LIKE]
        spatial, reduced, judged = self._sound(best)
        choices = [self._choice(*each, best) for each in zip(spatial, reduced)]
        if not choices:
            return []
        scores = numpy.log2(judged.cycles) + self._correction.of(self._rows(judged.features, choices))
        order = [choices[one] for one in numpy.argsort(scores, kind="stable")[:PROMISING]]
        others = [order[one] for one in self._chance.permutation(len(order))]
        taken: List[Choice] = []
        for one in order:
            use = others.pop() if self._chance.random() < CHANCE_SHARE else one
            if use not in self._tried:
                self._tried.add(use)
                taken.append(use)
            if len(taken) == count:
                break
        return taken

    def learn(self, choices: Sequence[Choice], times_s: Sequence[Optional[float]]) -> None:
        """Median seconds of what was proposed, or tried by an earlier job; None where there is no time."""
        self._tried.update(choices)
        self._times.update((one, seconds) for one, seconds in zip(choices, times_s) if seconds is not None)
        if not self._times:
            return
        kept = list(self._times)
        judged = tiles.judge(self._nest, *nests.arrays(kept), self._gpu)
        sound = numpy.isfinite(judged.cycles)
        if sound.any():
            rows, seconds = self._rows(judged.features, kept), numpy.array(list(self._times.values()))
            self._correction.learn(self._task, rows[sound], judged.cycles[sound], seconds[sound])

    def _sound(self, best: Sequence[Choice]) -> Tuple[Any, Any, tiles.Judged]:
        """The CORRECTED best tile sizes of those that keep all limits, the best first."""
        like = [(one[0], other[0]) for one, other in (nests.arrays([choice]) for choice in best)]
        spatial, reduced = tiles.drawn(self._nest, DRAWN, self._chance, like)
        judged = tiles.judge(self._nest, spatial, reduced, self._gpu)
        kept = numpy.flatnonzero(numpy.isfinite(judged.cycles))
        kept = kept[numpy.argsort(judged.cycles[kept], kind="stable")][:CORRECTED]
        return spatial[kept], reduced[kept], tiles.Judged(judged.cycles[kept], judged.features[kept])

    def _choice(self, spatial: Any, reduced: Any, best: Sequence[Choice]) -> Choice:
        sketch = best[int(self._chance.integers(len(best)))].sketch if best else self._plain
        if self._chance.random() < OTHER_SKETCHES:
            sketch = int(self._chance.integers(len(self._sketches)))
        found = self._sketches[sketch]
        # What a thread does between two fetches, innermost loops first, is to be written out where that is allowed.
        body = int(spatial[:, 1].prod() * spatial[:, 3:].prod() * reduced[:, 2].prod())
        unroll = min((steps for steps in found.unrolls if steps >= body), default=max(found.unrolls))
        if self._chance.random() < CHANCE_SHARE:
            unroll = int(self._chance.choice(found.unrolls))
        vectors = tuple(int(self._chance.choice([one for one in VECTORS if one in each])) for each in found.lengths)
        return Choice(sketch, _tuples(spatial), _tuples(reduced), vectors, unroll)

    def _rows(self, features: Any, choices: Sequence[Choice]) -> Any:
        spatial, reduced = nests.arrays(choices)
        body = numpy.log2(spatial[:, :, 1].prod(1) * spatial[:, :, 3:].prod((1, 2)) * reduced[:, :, 2].prod(1))
        others = [[one.sketch, one.unroll, *_first(one.vectors, 2)] for one in choices]
        sizes = [_logarithms(spatial[:, ::-1]), _logarithms(reduced)]
        return numpy.concatenate([features, body[:, None], numpy.array(others, dtype=float), *sizes], axis=1)


def _first(values: Sequence[int], count: int) -> List[int]:
    return [*values[:count], *[0] * (count - len(values))]


def _logarithms(factors: Any) -> Any:
    """(n, LOOPS * parts) of the first LOOPS loops; what a nest does not have is 0, as for a loop of one step."""
    found = numpy.log2(factors[:, :LOOPS])
    missing = LOOPS - found.shape[1]
    return numpy.pad(found, ((0, 0), (0, max(0, missing)), (0, 0))).reshape(len(found), -1)


def _tuples(factors: Any) -> Tuple[Tuple[int, ...], ...]:
    return tuple(tuple(int(one) for one in row) for row in factors)
