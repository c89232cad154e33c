"""Questions to the cache: which words runs know, and every point of a series with what it may be held against."""

from typing import Any, Dict, List, Mapping, Sequence

from harness.host.history.cache import Connection
from harness.host.history.series import Point, Series

ALL = "all"
"""As many threads as the board allowed, however many these are."""
_SERIES = ", ".join(Series._fields)
QUERY = f"""
    SELECT {_SERIES}, run, created_utc, variant, computes, rounds_planned, rounds, samples,
        mean_ns, median_ns, p95_ns, p99_ns, list_min(times_ns), list_max(times_ns), log_mean, notes,
        if(conditions <> lag(conditions) OVER every, lag(conditions) OVER every, NULL),
        if(conditions <> lag(conditions) OVER every, conditions, NULL),
        if(said <> lag(said) OVER every, lag(said) OVER every, NULL),
        if(said <> lag(said) OVER every, said, NULL),
        earlier_runs, covers_runs, ratio, low, high
    FROM measured JOIN changed USING (run, experiment) WHERE {{where}}
    WINDOW every AS (PARTITION BY {_SERIES} ORDER BY created_utc, run)
    ORDER BY {_SERIES}, created_utc, run
"""


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
