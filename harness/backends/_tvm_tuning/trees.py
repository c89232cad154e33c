"""The cost model: boosted trees over TVM's own features of a schedule, trained on ratios of measured times.

TVM's `XGBModel` evaluates two metrics in Python after every one of up to 10,000 rounds, which takes longer than the
measuring; and it speaks to versions of xgboost that have no wheel for this Python. What it learns from, and how a
schedule's blocks add up to one score, is the same here. It is never saved: trials are kept in the log, from which it is
trained.
"""

import importlib.util
from typing import Any, Dict, List

import numpy

from harness.errors import Unsupported

ROUNDS = 60
LEAST = 48
"""Trials before its word is worth more than chance."""
GROWTH = 1.2
"""It is trained anew once it has so many times the trials of last time."""


def boosted_trees(ms: Any, threads: int, seed: int) -> Any:
    """A cost model for `ms`, TVM's MetaSchedule."""
    if importlib.util.find_spec("xgboost") is None:
        raise Unsupported("tvm: the cost model xgb needs xgboost, which is not installed; COST_MODEL=random needs none")
    derived = _derived_object()

    @derived
    class Trees(ms.cost_model.PyCostModel):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.extractor = ms.feature_extractor.PerStoreFeature()
            self.features: Dict[str, List[Any]] = {}
            self.times: Dict[str, List[float]] = {}
            self.trained_on = 0
            self.booster: Any = None
            self.chance = numpy.random.default_rng(seed)

        def update(self, context: Any, candidates: Any, results: Any) -> None:
            key = ms.utils.shash2hex(context.mod)
            seen, times = self.features.setdefault(key, []), self.times.setdefault(key, [])
            for feature, result in zip(self.extractor.extract_from(context, candidates), results):
                rows = feature.numpy().astype("float32")
                if len(rows):
                    seen.append(rows)
                    runs = result.run_secs
                    times.append(float(numpy.median([float(one) for one in runs])) if runs else numpy.inf)
            total = sum(len(one) for one in self.times.values())
            if total >= max(LEAST, GROWTH * self.trained_on):
                self.booster, self.trained_on = _trained(self.features, self.times, threads, seed), total

        def predict(self, context: Any, candidates: Any) -> Any:
            if self.booster is None:
                return self.chance.random(len(candidates))
            rows = [one.numpy().astype("float32") for one in self.extractor.extract_from(context, candidates)]
            return _scores(self.booster, rows)

    return Trees()


def _derived_object() -> Any:
    try:
        from tvm.ir.utils import derived_object
    except ImportError:
        from tvm.meta_schedule.utils import derived_object
    return derived_object


def _trained(features: Dict[str, List[Any]], times: Dict[str, List[float]], threads: int, seed: int) -> Any:
    """The score of a schedule is its task's best time over its own: 1 is the best, 0 did not run."""
    import xgboost

    rows, scores = [], []
    for key, seen in features.items():
        measured = numpy.array(times[key])
        best = measured.min() if len(measured) else numpy.inf
        if numpy.isfinite(best):
            rows += seen
            scores += list(best / measured)
    counts = [len(one) for one in rows]
    owner = numpy.repeat(numpy.arange(len(rows)), counts)
    each = numpy.repeat(numpy.array(scores), counts)
    matrix = xgboost.DMatrix(numpy.concatenate(rows), label=each, nthread=threads)

    def objective(predicted: Any, _: Any) -> Any:
        """Squared error of the sum over a schedule's blocks, good schedules weighing more."""
        error = numpy.bincount(owner, weights=predicted)[owner] - each
        return error * each, each

    settings = {"max_depth": 10, "gamma": 0.001, "min_child_weight": 0, "eta": 0.2, "seed": seed, "nthread": threads}
    return xgboost.train({**settings, "base_score": 0.0, "verbosity": 0}, matrix, ROUNDS, obj=objective)


def _scores(booster: Any, rows: List[Any]) -> Any:
    import xgboost

    counts = [len(one) for one in rows]
    predicted = booster.predict(xgboost.DMatrix(numpy.concatenate(rows)))
    owner = numpy.repeat(numpy.arange(len(rows)), counts)
    return numpy.bincount(owner, weights=predicted, minlength=len(rows)).astype("float64")
