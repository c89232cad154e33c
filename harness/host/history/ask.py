"""From what a user asked for to a history: which runs there are, which words they know, and what they say."""

from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

from harness.errors import PlanError, RecordError
from harness.host.history import cache, query, reading
from harness.host.history.cache import Connection, Say
from harness.host.history.judge import History, judge
from harness.host.history.series import Point, Series
from harness.host.models.naming import label
from harness.host.nearest import nearest
from harness.host.plan import FLOOR

VARIABLES = {"model": "MODEL", "backend": "BACKENDS", "precision": "PRECISIONS", "threads": "THREADS", "board": "BOARD"}
"""Columns that can be asked for."""
Wanted = Mapping[str, Optional[Sequence[Any]]]
"""Column to the values asked for; None is every one."""


def ask(results: Path, wanted: Wanted, threshold: float, say: Say) -> History:
    """Raises PlanError where there is no run, or none of what is wanted."""
    if next(results.glob(f"*/{reading.FIRST}"), None) is None:
        raise PlanError(f"{results}: there is no run yet; `make bench` makes one")

    def question(connection: Connection) -> Dict[Series, List[Point]]:
        return query.select(connection, _known(connection, wanted))

    found, damage = cache.asked(results, say, question)
    if not found and damage:
        raise RecordError(f"{results}: no run can be read: {'; '.join(damage[:3])}")
    if not found:
        asked = ", ".join(f"{VARIABLES[name]}={','.join(map(str, each))}" for name, each in wanted.items() if each)
        raise PlanError(f"{asked}: each of these was measured, but in no run together; ask for fewer of them")
    return History({series: judge(points, threshold) for series, points in found.items()}, damage)


def _known(connection: Connection, wanted: Wanted) -> Dict[str, List[Any]]:
    """What is wanted, as the columns have it; raises PlanError for a word that no run knows."""
    found: Dict[str, List[Any]] = {}
    for column, values in wanted.items():
        known = query.words(connection, column)
        if values is None or not known:
            continue
        found[column] = [label(value) if column == "model" else value for value in values]
        for value in found[column]:
            if value not in known and value != query.ALL:
                raise PlanError(f"{VARIABLES[column]}: no run has {value!r}{nearest(str(value), map(str, known))}")
    if wanted.get("backend") is None:  # the floor is no engine, and is shown where it is asked for
        found["backend"] = [one for one in query.words(connection, "backend") if one != FLOOR] or [FLOOR]
    return found
