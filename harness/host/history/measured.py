"""One experiment of one run, in the figures that histories are made of; made once of a run's records, then cached."""

import json
import math
from typing import Any, Dict, List, NamedTuple, Optional, Union

import msgspec
from msgspec import UNSET

from harness.host.history import conditions, watched
from harness.host.report import verdicts
from harness.host.report.collect import Row, rows
from harness.host.runs import RunData
from harness.host.stats.summary import Summary, median
from harness.records import Experiment, LatencySamples, ThroughputSamples


class Measured(NamedTuple):
    """A row of the cache; its fields are the columns."""

    run: str
    """Name of its folder."""
    experiment: str
    """Its slug, which no other of the run has."""
    created_utc: str
    board: str
    container: str
    """Pin; empty for a plain process. So with what follows: empty or 0 is what was not asked for."""
    model: str
    backend: str
    precision: str
    batch: int
    threads: int
    io_memory: str
    issue_mode: str
    cuda_graph: bool
    options: str
    """The backend's own, a target and a variant, as JSON."""
    build_number: int
    all_threads: bool
    """Whether `threads` is all that the board allowed."""
    variant: str
    computes: bool
    conditions: str
    """JSON, keys sorted: equal where runs may be compared."""
    said: str
    """JSON, too."""
    rounds_planned: int
    times_ns: List[float]
    """Of each round that ended ok and VALID: the median of compute, or the time of an inference at the round's rate."""
    rounds: int
    log_mean: Optional[float]
    log_variance: Optional[float]
    """Of the logs of `times_ns`; None where there is nothing, or one, to tell it from."""
    samples: int
    mean_ns: Optional[float]
    median_ns: Optional[float]
    p95_ns: Optional[float]
    p99_ns: Optional[float]
    """Of all rounds' compute, pooled, valid or not; None where the issue mode is throughput."""
    notes: str
    """What a reader must know: what fell short, and why cells are not ok."""


def measured(name: str, data: RunData) -> List[Measured]:
    """One a planned experiment, whether anything of it was measured or not; `name` is the run's folder."""
    return [_one(name, data, row) for row in rows(data)]


def _one(name: str, data: RunData, row: Row) -> Measured:
    experiment, build, inference = row.experiment, row.experiment.build, row.experiment.inference
    times = [_time_ns(one.samples) for one in watched.valid(row.results) if one.samples is not None]
    logs = [math.log(one) for one in times if one > 0]
    return Measured(
        run=name,
        experiment=experiment.slug(),
        created_utc=data.run.created_utc,
        board=data.on.board,
        container=experiment.system.container or "",
        model=build.model,
        backend=build.backend,
        precision=build.precision,
        batch=build.batch,
        threads=inference.threads,
        io_memory=inference.io_memory,
        issue_mode=inference.issue_mode,
        cuda_graph=inference.cuda_graph is True,
        options=_options(experiment),
        build_number=build.build_number or 0,
        all_threads=inference.threads == data.machine.allowed_threads,
        variant=row.variant,
        computes=row.computes,
        conditions=_json(conditions.conditions(data, row)),
        said=_json(conditions.said(data, row)),
        rounds_planned=data.rounds,
        times_ns=times,
        rounds=len(logs),
        log_mean=sum(logs) / len(logs) if logs else None,
        log_variance=_variance(logs),
        samples=sum(one.samples.count for one in row.results if one.samples is not None),
        notes="; ".join(_notes(row)),
        **_figures(row.summary if row.ok else None),
    )


def _time_ns(samples: Union[LatencySamples, ThroughputSamples]) -> float:
    return 1e9 / samples.per_second if isinstance(samples, ThroughputSamples) else median(samples.compute_ns)


def _figures(summary: Optional[Summary]) -> Dict[str, Any]:
    names = ("mean_ns", "median_ns", "p95_ns", "p99_ns")
    return {name: getattr(summary, name) if summary is not None else None for name in names}


def _variance(logs: List[float]) -> Optional[float]:
    if len(logs) < 2:
        return None
    mean = sum(logs) / len(logs)
    return sum((one - mean) ** 2 for one in logs) / (len(logs) - 1)


def _options(experiment: Experiment) -> str:
    found = {} if experiment.build.options is UNSET else dict(experiment.build.options)
    if experiment.build.target is not None:
        found["target"] = experiment.build.target
    if experiment.build.variant is not UNSET:
        found["variant"] = experiment.build.variant
    return _json(found) if found else ""


def _notes(row: Row) -> List[str]:
    """Each once, however many rounds have it."""
    found = [f"{one.status}: {one.reason}" for one in row.results if one.status != "ok"]
    figures = verdicts.badges(row.results)  # which differ from run to run: a page of footnotes that say the same
    badges = [text for text in row.badges if text not in figures]
    return [*watched.notes(row.results), *badges, *dict.fromkeys(found)]


def _json(facts: Dict[str, Any]) -> str:
    return json.dumps(msgspec.to_builtins(facts), sort_keys=True, ensure_ascii=False)
