"""How much tuning a user asks for, checked."""

import math
from typing import NamedTuple

from harness.errors import PlanError
from harness.jobs import AUTO

MOST_TRIALS = 10_000_000
LEAST_MINUTES, MOST_MINUTES = 0.05, 7 * 24 * 60.0


class Effort(NamedTuple):
    trials: int
    """That there shall be in all, of each model."""
    minutes: float
    """Of one job, that is of one model and precision."""
    strategy: str = AUTO
    cost_model: str = "xgb"


def checked(trials: int, minutes: float, strategy: str, cost_model: str) -> Effort:
    """Raises PlanError for what would tune nothing, or never end."""
    if trials < 1:
        raise PlanError(f"TRIALS: {trials} trials would tune nothing; the least is 1")
    if trials > MOST_TRIALS:
        raise PlanError(f"TRIALS: {trials} is more than could ever be measured; the most is {MOST_TRIALS}")
    if math.isnan(minutes) or minutes < LEAST_MINUTES:
        raise PlanError(f"MINUTES: {minutes:g} minutes would tune nothing; the least is {LEAST_MINUTES:g}")
    if minutes > MOST_MINUTES:
        raise PlanError(f"MINUTES: {minutes:g} is more than a week; the most is {MOST_MINUTES:g}")
    return Effort(trials, minutes, strategy, cost_model)
