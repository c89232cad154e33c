"""How a run differs from earlier runs of the same experiment under the same conditions: beyond its rounds, and theirs.

The model is log median = level + run + round, both drawn at random. Two things can mislead, and a change must exceed
either:

* rounds: Welch's interval, the rounds of the new run against those of all the earlier ones (`welch.py`);
* runs: a process of the same binary starts on another day in other memory and at another temperature, so means of runs
  differ by more than their rounds tell. With k >= 3 earlier runs whose means deviate by s, the mean of one more lies
  within t(1 - alpha/2, k - 1) s sqrt(1 + 1/k) of theirs: the prediction interval of one normal observation.
  Source: Hahn and Meeker, Statistical Intervals (1991), 4.7.

The wider one is taken. With fewer than three earlier runs nothing is known of runs, and the interval covers these very
runs: simulated with runs that differ as much as rounds do, it calls one in three that is not slower or faster so,
and one in twenty from the third earlier run on (`tests/history/test_earlier.py`).
"""

import math
from typing import NamedTuple, Optional

from harness.host.stats.welch import LEAST_ROUNDS, Change, half_width

LEAST_RUNS = 3


class Rounds(NamedTuple):
    """Of the logs of round medians."""

    n: int
    mean: float
    variance: Optional[float]
    """Divided by n - 1; None for one round."""


class Earlier(NamedTuple):
    runs: int
    rounds: Rounds
    """Of all these runs, pooled."""
    run_variance: Optional[float]
    """Of the means of runs, divided by runs - 1; None for one run."""

    @property
    def covers_runs(self) -> bool:
        """Whether an interval from these covers how much runs differ."""
        return self.runs >= LEAST_RUNS


def change_since(new: Rounds, earlier: Earlier, confidence: float = 0.95) -> Change:
    """New over earlier; no interval where either side has fewer than 3 rounds."""
    old = earlier.rounds
    difference = new.mean - old.mean
    if min(new.n, old.n) < LEAST_ROUNDS or new.variance is None or old.variance is None:
        return Change(math.exp(difference), None, None)
    half = half_width([(new.variance / new.n, new.n - 1), (old.variance / old.n, old.n - 1)], confidence)
    if earlier.covers_runs and earlier.run_variance is not None:
        of_one_more = earlier.run_variance * (1 + 1 / earlier.runs)
        half = max(half, half_width([(of_one_more, earlier.runs - 1)], confidence))
    return Change(math.exp(difference), math.exp(difference - half), math.exp(difference + half))
