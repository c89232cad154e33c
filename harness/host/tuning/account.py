"""What a run keeps of the tuning behind one of its engines: how much there was, what each task got, what was proved."""

import statistics
from typing import Dict, List, Optional, Sequence, Union

import msgspec
from msgspec import UNSET, UnsetType

from harness import schedules
from harness.host.tuning.logs import Found
from harness.records import SCHEMA, Record
from harness.records.proof import Proofs
from harness.records.tuning import Default, End, Header, Job, Point, Task, Trial, Tuning
from harness.trials import Contents


class Part(Record, frozen=True):
    """A task of the model."""

    name: str
    weight: int
    """How often the model calls it."""
    share: Optional[float]
    """Of the model's estimated time by default schedules, 0 to 1."""
    trials: int
    default_ns: Optional[float]
    """Medians of one call; None where it has no time."""
    tuned_ns: Optional[float]
    kept: bool
    why: str
    """Why the tuned schedule was not kept."""


class Account(Record, frozen=True, tag_field="kind", tag="tuning"):
    """Lies beside the engine's record in a run."""

    engine: str
    """Key."""
    origin: str
    """Where the records came from, for a reader."""
    header: Header
    tuning: Tuning
    jobs: List[Job]
    ends: List[End]
    """Of jobs that ended; one that was killed has none. Their curves stand in `curve`."""
    parts: List[Part]
    curve: List[Point]
    """Estimated time of the whole, jobs one after another."""
    dropped: List[str] = []
    """Lines of the records that could not be read."""
    proofs: Union[Proofs, UnsetType] = UNSET
    schema: int = SCHEMA


def of(engine: str, found: Found, proofs: Optional[Proofs]) -> Account:
    contents, form = found.contents, schedules.form(found.contents)
    jobs = sorted((one for one in contents.of(Job) if one.form == form), key=lambda one: (one.started_utc, one.job))
    ends = {one.job: one for one in contents.of(End)}
    return Account(
        engine=engine,
        origin=found.origin,
        header=contents.header,
        tuning=found.tuning,
        jobs=jobs,
        ends=[msgspec.structs.replace(ends[one.job], curve=[]) for one in jobs if one.job in ends],
        parts=parts(contents, {one.job for one in jobs}),
        curve=curve(contents, jobs, ends),
        dropped=[text.partition(": ")[2] or text for text in contents.dropped],
        proofs=UNSET if proofs is None else proofs,
    )


def parts(contents: Contents, jobs: "set[str]") -> List[Part]:
    """The heaviest first; of tasks that any of `jobs` has timed or chosen for."""
    chosen = schedules.choices(contents)
    defaults = _defaults(contents)
    counts: Dict[str, int] = {}
    for trial in contents.of(Trial):
        counts[trial.task] = counts.get(trial.task, 0) + 1
    timed: List[Union[Trial, Default]] = [*contents.of(Trial), *contents.of(Default)]
    seen = {one.task for one in timed if one.job in jobs}
    seen |= {task for task, one in chosen.items() if one.job in jobs}
    found: List[Part] = []
    takes: List[float] = []
    for task in {one.task: one for one in contents.of(Task)}.values():
        if task.task not in seen:
            continue
        choice = chosen.get(task.task)
        default = schedules.median(choice.default_ns) if choice is not None else None
        default = defaults.get(task.task) if default is None else default
        takes.append(task.weight * (default or 0.0))
        found.append(
            Part(
                name=task.name,
                weight=task.weight,
                share=None,
                trials=max(counts.get(task.task, 0), choice.trials if choice is not None else 0),
                default_ns=default,
                tuned_ns=schedules.median(choice.tuned_ns) if choice is not None else None,
                kept=choice is not None and choice.kept,
                why="no job has chosen for it" if choice is None else choice.why,
            )
        )
    whole = sum(takes)
    shared = [
        one if one.default_ns is None or not whole else msgspec.structs.replace(one, share=round(took / whole, 6))
        for one, took in zip(found, takes)
    ]
    return sorted(shared, key=lambda one: (-(one.share or 0.0), one.name))


def curve(contents: Contents, jobs: Sequence[Job], ends: Dict[str, End]) -> List[Point]:
    """Each job's own where it has one, else worked out from its trials."""
    found: List[Point] = []
    seconds, trials = 0.0, 0
    for job in jobs:
        end = ends.get(job.job)
        own = end.curve if end is not None else _worked_out(contents, job)
        found += [Point(round(seconds + one.seconds, 1), trials + one.trials, one.estimated_ns) for one in own]
        last = own[-1] if own else Point(0.0, 0, 0.0)
        seconds += end.seconds if end is not None else last.seconds
        trials += end.trials if end is not None else last.trials
    return found


def _worked_out(contents: Contents, job: Job) -> List[Point]:
    weights = {one.task: one.weight for one in contents.of(Task)}
    alike = {one.job for one in contents.of(Job) if one.stand == job.stand}
    defaults = (one for one in contents.of(Default) if one.job in alike and one.task in weights)
    best = {one.task: statistics.median(one.times_ns) for one in defaults}
    found = []
    own = (one for one in contents.of(Trial) if one.job == job.job)
    for count, trial in enumerate(own, start=1):
        time = statistics.median(trial.times_ns)
        best[trial.task] = min(best.get(trial.task, time), time)
        whole = sum(weights.get(task, 0) * value for task, value in best.items())
        found.append(Point(round(trial.seconds, 1), count, whole))
    return found


def _defaults(contents: Contents) -> Dict[str, float]:
    return {one.task: statistics.median(one.times_ns) for one in contents.of(Default)}
