"""How long cells will take: from earlier cells of the same experiment, else the plan's budget as an upper bound."""

from pathlib import Path
from typing import Dict, List, Sequence, Tuple

from harness import upgrades
from harness.errors import RecordError
from harness.host.plan import Plan
from harness.records import Experiment, Result

START_S = 4.0
"""Allowance for a worker's start, load and verification where nothing is known yet."""


class Estimates:
    def __init__(self, results: Path, plan: Plan) -> None:
        self._results = results
        self._bound_s = plan.max_seconds + START_S
        self._known: Dict[str, float] = {}

    def cell_s(self, experiment: Experiment) -> Tuple[float, bool]:
        """Seconds, and whether that is known (True) or only the budget (False)."""
        slug = experiment.slug()
        if slug not in self._known:
            earlier = self._earlier(experiment)
            if not earlier:
                return self._bound_s, False
            self._known[slug] = earlier[0]
        return self._known[slug], True

    def total_s(self, experiments: Sequence[Experiment]) -> Tuple[float, int]:
        """Seconds altogether, and how many of the cells are only bounded."""
        each = [self.cell_s(experiment) for experiment in experiments]
        return sum(seconds for seconds, _ in each), sum(not known for _, known in each)

    def learn(self, experiment: Experiment, seconds: float) -> None:
        self._known[experiment.slug()] = seconds

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
