"""What a job takes over from the log: times that stand beside its own, and schedules to measure here before any other.

Times are told apart by where they were measured (`records.tuning.Job.stand`): those of another machine, or of a CPU at
another number of threads, say which schedules are worth a trial, and nothing about how long they take here.
"""

from typing import AbstractSet, Any, Dict, List, NamedTuple, Sequence

from harness.backends._tvm_tuning.search import Known, fastest_first
from harness.records import tuning as records
from harness.schedules import chosen
from harness.trials import Contents

SEEDS = 4
"""Schedules of each task that were measured elsewhere alone, measured here first."""


class Earlier(NamedTuple):
    """By task hash."""

    known: Dict[str, Dict[str, Known]]
    """Trials of this stand: by trace, the newest time of each."""
    defaults_s: Dict[str, List[float]]
    """Times of default schedules of this stand."""
    standing: Dict[str, Known]
    """What an engine would be built with now, wherever that was chosen."""
    seeds: Dict[str, List[Known]]
    """The most promising of other stands, of those that have no time here."""


def earlier(contents: Contents, job: records.Job) -> Earlier:
    """All that the log holds for `job`."""
    stands = {one.job: one.stand for one in contents.of(records.Job)}
    here = {name for name, stand in stands.items() if stand == job.stand}
    trials = contents.of(records.Trial)
    known = _newest([one for one in trials if one.job in here])
    defaults_s = {one.task: _seconds(one.times_ns) for one in contents.of(records.Default) if one.job in here}
    standing = {one.task.task: _known(one.trial) for one in chosen(contents)}
    elsewhere: Dict[records.Stand, List[Any]] = {}
    for one in trials:
        if one.job not in here:
            elsewhere.setdefault(stands.get(one.job, records.NOWHERE), []).append(one)
    ordered = [_newest(found) for _, found in sorted(elsewhere.items())]
    seeds: Dict[str, List[Known]] = {}
    for task in {task for found in ordered for task in found}:
        first = [standing[task]] if task in standing else []
        seeds[task] = _in_turn(first, [found.get(task, {}) for found in ordered], known.get(task, {}).keys())
    return Earlier(known, defaults_s, standing, seeds)


def _in_turn(first: Sequence[Known], stands: Sequence[Dict[str, Known]], known: AbstractSet[str]) -> List[Known]:
    """`first`, then the fastest of each stand, and the second of each: times of two stands cannot be compared."""
    queues = [fastest_first(one.values()) for one in stands]
    ranks = range(max((len(one) for one in queues), default=0))
    found: Dict[str, Known] = {}
    for one in [*first, *(queue[rank] for rank in ranks for queue in queues if rank < len(queue))]:
        if one.trace not in known:
            found.setdefault(one.trace, one)
    return list(found.values())[:SEEDS]


def _newest(trials: Sequence[Any]) -> Dict[str, Dict[str, Known]]:
    found: Dict[str, Dict[str, Known]] = {}
    for one in trials:
        found.setdefault(one.task, {})[one.trace] = _known(one)
    return found


def _known(trial: records.Trial) -> Known:
    return Known(trial.trace, trial.args_info, _seconds(trial.times_ns))


def _seconds(times_ns: Sequence[float]) -> List[float]:
    return [ns / 1e9 for ns in times_ns]
