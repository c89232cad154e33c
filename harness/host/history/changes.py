"""How each run differs from the earlier ones that it may be compared with: worked out when a run is read, then kept.

It depends on nothing that a user asks for, and takes longer than all else of a query.
"""

from typing import List, NamedTuple, Optional

from harness.host.history.series import RECENT, Series
from harness.host.stats.earlier import Earlier, Rounds, change_since


class Held(NamedTuple):
    """One experiment of one run, and what it is held against."""

    run: str
    experiment: str
    own: Optional[Rounds]
    """None where it has no valid round; so with the other where there is nothing to compare with."""
    earlier: Optional[Earlier]


class Changed(NamedTuple):
    """A row of the cache; its fields are the columns."""

    run: str
    experiment: str
    earlier_runs: int
    covers_runs: bool
    """Whether the interval says how much one run differs from the next."""
    ratio: Optional[float]
    """New over earlier; None where there is nothing to compare, or nothing to compare it with."""
    low: Optional[float]
    high: Optional[float]


QUERY = f"""
    SELECT run, experiment, rounds, log_mean, log_variance, runs, n, mean,
        greatest(0, (squares - n * mean ** 2) / nullif(n - 1, 0)), run_variance
    FROM (
        SELECT run, experiment, rounds, log_mean, log_variance,
            count(log_mean) OVER earlier AS runs,
            sum(rounds) OVER earlier AS n,
            sum(rounds * log_mean) OVER earlier / n AS mean,
            sum((rounds - 1) * coalesce(log_variance, 0) + rounds * log_mean ** 2) OVER earlier AS squares,
            var_samp(log_mean) OVER earlier AS run_variance
        FROM measured
        WINDOW earlier AS (
            PARTITION BY {", ".join(Series._fields)}, conditions, rounds = 0 ORDER BY created_utc, run
            ROWS BETWEEN {RECENT} PRECEDING AND 1 PRECEDING
        )
    )
"""
"""The variance of pooled rounds is that of their sums of squares: of each run's own and of its mean."""


def held(rows: List[tuple]) -> List[Held]:
    """What QUERY answers."""
    found = []
    for run, experiment, rounds, log_mean, log_variance, runs, n, mean, variance, run_variance in rows:
        own = None if log_mean is None else Rounds(rounds, log_mean, log_variance)
        earlier = Earlier(runs, Rounds(int(n), mean, variance), run_variance) if runs else None
        found.append(Held(run, experiment, own, earlier))
    return found


def changed(one: Held) -> Changed:
    if one.own is None or one.earlier is None:
        return Changed(one.run, one.experiment, 0, False, None, None, None)
    value, low, high = change_since(one.own, one.earlier)
    return Changed(one.run, one.experiment, one.earlier.runs, one.earlier.covers_runs, value, low, high)
