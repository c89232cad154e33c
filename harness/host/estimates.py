"""How long cells will take: from earlier cells of the same experiment, else the plan's budget as an upper bound."""

from pathlib import Path
from typing import Dict, List, Sequence, Tuple

from harness import upgrades
from harness.errors import RecordError
from harness.host.plan import Plan
from harness.records import Experiment, Result

START_S = 4.0
"""Allowance for a worker's start, load and verification where nothing is known yet."""
REST_S = 2.0
"""How long a worker watches the machine at rest before a cell with a least duration."""


class Estimates:
    def __init__(self, results: Path, plan: Plan) -> None:
        self._results = results
        self._max_s = float(plan.max_seconds)
        self._known: Dict[str, float] = {}

    def cell_s(self, experiment: Experiment) -> Tuple[float, bool]:
        """Seconds, and whether that is known (True) or only the budget (False).

        Never less than a least duration takes: an earlier cell may have failed long before its iterations.
        """
        slug, least_s = experiment.slug(), self._least_s(experiment)
        if slug not in self._known:
            earlier = self._earlier(experiment)
            if not earlier:
                return self._max_s + START_S + (REST_S if least_s else 0.0), False
            self._known[slug] = earlier[0]
        return max(self._known[slug], least_s), True

    def total_s(self, experiments: Sequence[Experiment]) -> Tuple[float, int]:
        """Seconds altogether, and how many of the cells are only bounded."""
        each = [self.cell_s(experiment) for experiment in experiments]
        return sum(seconds for seconds, _ in each), sum(not known for _, known in each)

    def learn(self, experiment: Experiment, seconds: float) -> None:
        self._known[experiment.slug()] = seconds

    def _least_s(self, experiment: Experiment) -> float:
        """A rest and the iterations' least duration, which the budget may cut short; 0 where none is asked for."""
        least_s = experiment.inference.least_s
        return REST_S + min(least_s, self._max_s) if least_s else 0.0

    def _earlier(self, experiment: Experiment) -> List[float]:
        """Of the newest result there is, whatever its run is called; none where no worker was started."""
        pattern = f"*/{experiment.system.board}/{experiment.slug()}/*/result.json"
        for path in sorted(self._results.glob(pattern), key=lambda one: one.stat().st_mtime, reverse=True):
            try:
                result = upgrades.read(path, Result)
            except RecordError:
                continue
            if result.elapsed_s:
                return [result.elapsed_s]
        return []
