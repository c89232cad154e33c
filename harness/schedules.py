"""Floor: which schedules an engine is built with, of all that were tried; the one rule by which a task's is kept.

Nothing here depends on the order of a log's lines, so that merged logs give the same engine whoever merged them.
"""

import hashlib
import statistics
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import msgspec

from harness.records import digest
from harness.records.tuning import NOWHERE, Choice, Default, End, Job, Stand, Task, Trial, Tuning
from harness.trials import Contents

SPREADS = 2.0
"""A gain counts where it is more than so many times the spread of either schedule's times."""
LEAST_REPEATS = 3
"""Of fewer times nobody can tell their spread."""


class Chosen(NamedTuple):
    """A task whose tuned schedule is kept."""

    task: Task
    trial: Trial
    default_ns: float
    tuned_ns: float
    """Medians."""


def spread_ns(times_ns: Sequence[float]) -> float:
    """A standard deviation that disturbed repeats do not widen while they are fewer than half: the median absolute
    deviation, scaled to the normal distribution's (Rousseeuw and Croux, JASA 88, 1993)."""
    middle = statistics.median(times_ns)
    return 1.4826 * statistics.median(abs(one - middle) for one in times_ns)


def why_not(default_ns: Sequence[float], tuned_ns: Sequence[float]) -> str:
    """Why the default schedule stays; empty where the tuned one gains more than twice the spread of either."""
    if min(len(default_ns), len(tuned_ns)) < LEAST_REPEATS:
        return f"measured fewer than {LEAST_REPEATS} times, which shows no spread"
    gain = statistics.median(default_ns) - statistics.median(tuned_ns)
    if gain <= 0:
        return "not faster than the default schedule"
    spread = max(spread_ns(default_ns), spread_ns(tuned_ns))
    if gain <= SPREADS * spread:
        return f"gains {gain / 1e3:.3g} us, not more than twice the spread of {spread / 1e3:.3g} us"
    return ""


def median(times: Sequence[float]) -> Optional[float]:
    """None where there is no time."""
    return statistics.median(times) if times else None


def trace_hash(trace: str) -> str:
    return hashlib.sha256(trace.encode()).hexdigest()[:16]


def choices(contents: Contents) -> Dict[str, Choice]:
    """By task, what holds: of the choices that were kept the one that gains most; where none was, the nearest to it.

    Of several measurements of one schedule the newest job's counts. A job that was killed has made no choice: then its
    trials and its default's times are held against each other instead.
    """
    began = {one.job: (one.started_utc, one.job) for one in contents.of(Job)}
    newest: Dict[Tuple[str, str], Choice] = {}
    wanted = form(contents)
    others = {one.job for one in contents.of(Job) if one.form != wanted}  # theirs are parts of another graph
    for one in [*contents.of(Choice), *_made_of_trials(contents)]:
        if one.job in others:
            continue
        key = (one.task, one.trace_sha256)
        other = newest.get(key)
        if other is None or _age(one, began) > _age(other, began):
            newest[key] = one
    found: Dict[str, Choice] = {}
    for one in sorted(newest.values(), key=lambda one: (one.kept, -_ratio(one), _age(one, began), one.trace_sha256)):
        found[one.task] = one
    return found


def chosen(contents: Contents) -> List[Chosen]:
    """The schedules of a tuned engine, by task hash; a task that is not among them keeps its default one."""
    tasks = {one.task: one for one in contents.of(Task)}
    trials = {(one.task, trace_hash(one.trace)): one for one in sorted(contents.of(Trial), key=_text)}
    found = []
    for task, choice in sorted(choices(contents).items()):
        trial = trials.get((task, choice.trace_sha256))
        if choice.kept and trial is not None and task in tasks:
            medians = statistics.median(choice.default_ns), statistics.median(choice.tuned_ns)
            found.append(Chosen(tasks[task], trial, *medians))
    return found


def form(contents: Contents) -> str:
    """How the graph of a tuned engine is written: as in the newest job that ended, or that began where none ended."""
    ended = {one.job for one in contents.of(End)}
    newest = max(contents.of(Job), key=lambda one: (one.job in ended, one.started_utc, one.job), default=None)
    return "plain" if newest is None else newest.form


def records_sha256(contents: Contents) -> str:
    """Of what matters to an engine: the chosen schedules, and the form of the graph that they were found for."""
    return _sha256(form(contents), chosen(contents))


def _sha256(of: str, kept: Sequence[Chosen]) -> str:
    return digest([of, *([one.task.task, trace_hash(one.trial.trace)] for one in kept)], 64)


def tuning(contents: Contents) -> Tuning:
    """What stands in the ingredients of an engine that is built with these records."""
    ends: Dict[str, End] = {one.job: one for one in contents.of(End)}
    jobs: Dict[str, Optional[Job]] = {one.job: one for one in contents.of(Job)}
    by_job: Dict[str, List[Trial]] = {}
    for trial in contents.of(Trial):
        by_job.setdefault(trial.job, []).append(trial)
    trials, seconds = 0, 0.0
    for name in {*jobs, *ends, *by_job}:
        own, end = by_job.get(name, []), ends.get(name)
        # Records that are shipped hold the chosen trials alone; how many there were stands in the job's last line.
        trials += max(len(own), end.trials if end is not None else 0)
        seconds += end.seconds if end is not None else max((one.seconds for one in own), default=0.0)
    wanted, kept = form(contents), chosen(contents)
    return Tuning(
        records_sha256=_sha256(wanted, kept),
        trials=trials,
        seconds=round(seconds, 1),
        seeds=sorted({one.seed for one in jobs.values() if one is not None}),
        tasks=len(kept),
        form=wanted,
    )


def compact(contents: Contents) -> Contents:
    """The same choice without the trials that lost, and what the model gives again: small enough to be shipped."""
    trials = {id(one.trial) for one in chosen(contents)}
    lines = [
        msgspec.structs.replace(one, workload="") if isinstance(one, Task) else one
        for one in contents.lines
        if not isinstance(one, (Trial, Default, Choice)) or id(one) in trials
    ]
    return contents._replace(lines=[*lines, *(choice for _, choice in sorted(choices(contents).items()))])


def _made_of_trials(contents: Contents) -> List[Choice]:
    """Of tasks that no job has chosen for: one for each stand that measured the default and a trial."""
    decided = {one.task for one in contents.of(Choice)}
    stands = {one.job: one.stand for one in contents.of(Job)}
    defaults: Dict[Tuple[str, Stand], Default] = {}
    for one in sorted(contents.of(Default), key=_text):
        defaults.setdefault((one.task, stands.get(one.job, NOWHERE)), one)
    best: Dict[Tuple[str, Stand], Trial] = {}
    counts: Dict[str, int] = {}
    for trial in sorted(contents.of(Trial), key=_text):
        counts[trial.task] = counts.get(trial.task, 0) + 1
        key = trial.task, stands.get(trial.job, NOWHERE)
        other = best.get(key)
        if other is None or statistics.median(trial.times_ns) < statistics.median(other.times_ns):
            best[key] = trial
    found = []
    for key, trial in best.items():
        task, _ = key
        if task in decided or key not in defaults:
            continue
        why = why_not(defaults[key].times_ns, trial.times_ns)
        found.append(
            Choice(
                job=trial.job,
                task=task,
                trace_sha256=trace_hash(trial.trace),
                trials=counts[task],
                default_ns=defaults[key].times_ns,
                tuned_ns=trial.times_ns,
                kept=not why,
                why=why,
            )
        )
    return found


def _age(choice: Choice, began: Dict[str, Tuple[str, str]]) -> Tuple[str, str, str]:
    started, job = began.get(choice.job, ("", choice.job))
    return started, job, digest(choice, 16)


def _ratio(choice: Choice) -> float:
    """Tuned time by the default one's; 1 where nothing was tuned."""
    if not choice.tuned_ns or not choice.default_ns:
        return 1.0
    return statistics.median(choice.tuned_ns) / statistics.median(choice.default_ns)


def _text(line: object) -> str:
    return digest(line, 64)
