"""Default schedules against tuned ones, side by side: what each task keeps is decided by times of one hour, not two."""

import statistics
from collections import Counter
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from harness.backends._tvm_tuning import generation
from harness.backends._tvm_tuning.flow import Done, Flow, Work
from harness.backends._tvm_tuning.journal import Journal, arguments, nanoseconds
from harness.backends._tvm_tuning.meter import MEASURED, Settings
from harness.backends._tvm_tuning.search import Known
from harness.backends._tvm_tuning.tasks import TuningTask
from harness.errors import BuildError
from harness.schedules import LEAST_REPEATS, trace_hash, why_not

ROUNDS = 5
CLEAR = 2.0
"""A default schedule that is so many times slower need not stand beside the tuned one: its first times count."""
BEST = 2
"""So many of a task's schedules meet its default: the best of many times is partly luck."""
NO_TIME = "no trial of this task has a time"
BROKE = "its best schedules had no time when they were measured again"
UNMEASURED = "the default schedule had no time"
ONCE = Settings(repeats=1, min_repeat_s=0.01, hopeless_s=float("inf"), poor_s=float("inf"), limit_s=60.0)
DEFAULTS = Settings(repeats=3, min_repeat_s=0.005, hopeless_s=float("inf"), poor_s=float("inf"), limit_s=60.0)


class Verdict(NamedTuple):
    """What a task keeps."""

    task: TuningTask
    trials: int
    default_ns: List[float]
    tuned_ns: List[float]
    kept: bool
    why: str


class Defaults(NamedTuple):
    """A task's default schedule: its times, and its library for the finals where this job has built it."""

    times_s: Sequence[float]
    library: str


def measure_defaults(
    tasks: Sequence[TuningTask], flow: Flow, journal: Journal, known: Dict[str, List[float]]
) -> List[Defaults]:
    """Each task as it is without tuning, in the order of `tasks`; no times where it cannot be built or run.

    Those that are `known` are not measured again: such a time says where to search, and the finals decide. Raises
    BuildError where not one has a time: nothing else of the model would have one.
    """
    found = {place: Defaults(known[one.hash], "") for place, one in enumerate(tasks) if one.hash in known}
    flow.add([_of_default(place, one, DEFAULTS) for place, one in enumerate(tasks) if place not in found])
    reasons: "Counter[str]" = Counter()
    while flow.waiting():
        for done in flow.step():
            found[done.work.key] = Defaults(done.times_s, done.library)
            if done.times_s:
                journal.default(tasks[done.work.key].hash, done.times_s)
            else:
                reasons[done.reason] += 1
    if not any(one.times_s for one in found.values()):
        raise BuildError(f"tvm: no part of this model could be built and measured: {reasons.most_common(1)[0][0]}")
    return [found[place] for place in range(len(tasks))]


def _of_default(key: Any, task: TuningTask, settings: Settings) -> Work:
    return Work(key, task.default, task.args_info, settings, "", True)


def compare(
    tasks: Sequence[TuningTask],
    defaults: Sequence[Defaults],
    known: Dict[str, Dict[str, Known]],
    workloads: Dict[str, str],
    flow: Flow,
    journal: Journal,
    max_seconds: float,
) -> List[Verdict]:
    """One verdict a task, each of them logged; rounds are fewer where the job's time is up."""
    runners: Dict[Tuple[int, int], str] = {}
    """Libraries by task and schedule, the default one being 0."""
    takes = {(place, 0): task.args_info for place, task in enumerate(tasks)}
    candidates = [worth_comparing(known.get(task.hash, {}), one) for task, one in zip(tasks, defaults)]
    works = []
    for place, (task, default, best) in enumerate(zip(tasks, defaults, candidates)):
        if best and default.times_s:
            if not clearly_slower(default, best):
                if default.library:
                    runners[place, 0] = default.library
                else:
                    works.append(_of_default((place, 0), task, ONCE))
            for rank, one in enumerate(best, start=1):
                module = generation.rebuilt(workloads[task.hash], one.trace, one.args_info, journal.target)
                takes[place, rank] = arguments(one.args_info)
                works.append(Work((place, rank), module, takes[place, rank], ONCE, "", True))
    flow.add(works)
    runners.update({done.work.key: done.library for done in _all(flow) if done.library})
    times: Dict[Tuple[int, int], List[float]] = {key: [] for key in runners}
    for place, default in enumerate(defaults):
        if (place, 0) not in runners:
            times[place, 0] = nanoseconds(default.times_s)
    flow.one_place = True
    for round_number in range(ROUNDS):
        if round_number >= LEAST_REPEATS and journal.seconds() > max_seconds:
            break
        keys = sorted(runners, key=lambda key: (key[0], key[1] if round_number % 2 == 0 else -key[1]))
        flow.add([Work(key, "", takes[key], ONCE, runners[key], True) for key in keys])
        for done in _all(flow):
            if done.outcome == MEASURED:
                times[done.work.key] += nanoseconds(done.times_s)
    return [
        _verdict(place, task, candidates[place], times, len(known.get(task.hash, {})), journal)
        for place, task in enumerate(tasks)
    ]


def clearly_slower(default: Defaults, best: Sequence[Known]) -> bool:
    """No times of another machine, and none that a busy machine has spread: then the two stand side by side after
    all."""
    if not best[0].here:
        return False
    slower = statistics.median(default.times_s) > CLEAR * statistics.median(best[0].times_s)
    return slower and not why_not(nanoseconds(default.times_s), nanoseconds(best[0].times_s))


def _all(flow: Flow) -> List[Done]:
    found: List[Done] = []
    while flow.waiting():
        found += flow.step()
    return found


def worth_comparing(known: Dict[str, Known], default: Defaults) -> List[Known]:
    """Those worth comparing: the fastest ones that were measured here, if any of them was faster than the default
    schedule, and then the fastest of other machines, whose times say nothing about this one."""
    here, others = ([one for one in _fastest_first(known) if one.here is wanted][:BEST] for wanted in (True, False))
    if here and default.times_s:
        faster = statistics.median(here[0].times_s) < statistics.median(default.times_s)
        here = here if faster else here[:1]
    return here + others


def _fastest_first(known: Dict[str, Known]) -> List[Known]:
    return sorted(known.values(), key=lambda one: (statistics.median(one.times_s), one.trace))


def _verdict(
    place: int,
    task: TuningTask,
    best: Sequence[Known],
    times: Dict[Tuple[int, int], List[float]],
    trials: int,
    journal: Journal,
) -> Verdict:
    default = times.get((place, 0), [])
    measured = {rank: times[place, rank] for rank in range(1, len(best) + 1) if times.get((place, rank))}
    winner: Optional[int] = min(measured, key=lambda rank: statistics.median(measured[rank]), default=None)
    if winner is None or not default:
        why = NO_TIME if not best else BROKE if default else UNMEASURED
        trace, tuned = "", []
    else:
        trace, tuned = trace_hash(best[winner - 1].trace), measured[winner]
        why = why_not(default, tuned)
    journal.choice(task.hash, trace, trials, default, tuned, why)
    return Verdict(task, trials, default, tuned, not why, why)
