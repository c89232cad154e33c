"""Questions to the cache: which words runs know, and every point of a series with what it may be held against."""

from typing import Any, Dict, List, Mapping, Sequence

from harness.host.history.cache import Connection
from harness.host.history.series import RECENT, Point, Series

ALL = "all"
"""As many threads as the board allowed, however many these are."""
_SERIES = ", ".join(Series._fields)
_BY_TIME = "ORDER BY created_utc, run"
QUERY = f"""
    SELECT {_SERIES}, run, created_utc, variant, computes, rounds_planned, rounds, samples,
        mean_ns, median_ns, p95_ns, p99_ns, list_min(times_ns), list_max(times_ns), log_mean, log_variance, notes,
        if(conditions <> lag(conditions) OVER every, lag(conditions) OVER every, NULL),
        if(conditions <> lag(conditions) OVER every, conditions, NULL),
        if(said <> lag(said) OVER every, lag(said) OVER every, NULL),
        if(said <> lag(said) OVER every, said, NULL),
        count(*) OVER earlier,
        sum(rounds) OVER earlier AS n,
        sum(rounds * log_mean) OVER earlier / n AS mean,
        greatest(0, (sum((rounds - 1) * coalesce(log_variance, 0) + rounds * log_mean ** 2) OVER earlier
            - n * mean ** 2) / nullif(n - 1, 0)),
        var_samp(log_mean) OVER earlier
    FROM measured WHERE {{where}}
    WINDOW every AS (PARTITION BY {_SERIES} {_BY_TIME}),
        earlier AS (
            PARTITION BY {_SERIES}, conditions, rounds = 0 {_BY_TIME} ROWS BETWEEN {RECENT} PRECEDING AND 1 PRECEDING
        )
    ORDER BY {_SERIES}, created_utc, run
"""
"""The variance of pooled rounds is that of their sums of squares, of each run's own and of its mean."""


def words(connection: Connection, column: str) -> List[Any]:
    """Every value that some run has in `column` of `Measured`, sorted."""
    return [value for (value,) in connection.execute(f"SELECT DISTINCT {column} FROM measured ORDER BY 1").fetchall()]


def select(connection: Connection, wanted: Mapping[str, Sequence[Any]]) -> Dict[Series, List[Point]]:
    """Every series whose columns are among the `wanted` ones, its points in the order of time."""
    clauses, values = ["true"], []
    for column, each in wanted.items():
        some = f"{column} IN (SELECT unnest(?))"
        clauses.append(f"({some} OR all_threads)" if ALL in each else some)
        values.append([one for one in each if one != ALL])
    found: Dict[Series, List[Point]] = {}
    for row in connection.execute(QUERY.format(where=" AND ".join(clauses)), values).fetchall():
        found.setdefault(Series(*row[: len(Series._fields)]), []).append(Point(*row[len(Series._fields) :]))
    return found
