"""Default schedules against tuned ones, side by side: what each task keeps is decided by times of one hour, not two."""

import contextlib
import statistics
from collections import Counter
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from harness.backends._tvm_tuning import generation
from harness.backends._tvm_tuning.flow import Done, Flow, Work
from harness.backends._tvm_tuning.journal import Journal, arguments, nanoseconds
from harness.backends._tvm_tuning.meter import MEASURED, Settings
from harness.backends._tvm_tuning.search import Known, fastest_first
from harness.backends._tvm_tuning.seeds import Earlier
from harness.backends._tvm_tuning.tasks import TuningTask
from harness.errors import BuildError
from harness.schedules import LEAST_REPEATS, trace_hash, why_not

ROUNDS = 5
CLEAR = 2.0
"""A default schedule that is so many times slower need not stand beside the tuned one: its first times count."""
BEST = 2
"""So many of a task's schedules meet its default, the best of many times being partly luck; and beside them the one
that an engine would get now, wherever that was chosen: it stays only where it wins here."""
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


def _of_default(key: Any, task: TuningTask, settings: Settings, library: str = "") -> Work:
    return Work(key, "" if library else task.default, task.args_info, settings, library, True)


class Match(NamedTuple):
    """What stands beside a task's default schedule."""

    task: TuningTask
    default: Defaults
    best: Sequence[Known]
    """The fastest of this stand."""
    standing: Optional[Known]
    """What an engine would get now."""

    def others(self) -> List[Known]:
        """All but the default, each once."""
        if self.standing is None or self.standing.trace in {one.trace for one in self.best}:
            return list(self.best)
        return [*self.best, self.standing]


def compare(
    tasks: Sequence[TuningTask],
    defaults: Sequence[Defaults],
    earlier: Earlier,
    workloads: Dict[str, str],
    flow: Flow,
    journal: Journal,
    max_seconds: float,
) -> List[Verdict]:
    """One verdict a task, each of them logged; rounds are fewer where the job's time is up."""
    matches = []
    for task, default in zip(tasks, defaults):
        best = worth_comparing(earlier.known.get(task.hash, {}), default)
        matches.append(Match(task, default, best, earlier.standing.get(task.hash)))
    for place, match in enumerate(matches):
        flow.add(_works(place, match, workloads[match.task.hash], journal.target))
    # From here on nothing is built: each work is its library.
    sound = {one.work.key: one.work._replace(module="", library=one.library) for one in _all(flow) if one.library}
    times: Dict[Tuple[int, int], List[float]] = {key: [] for key in sound}
    flow.one_place = True
    for round_number in range(ROUNDS):
        if round_number >= LEAST_REPEATS and journal.seconds() > max_seconds:
            break
        keys = sorted(sound, key=lambda key: (key[0], key[1] if round_number % 2 == 0 else -key[1]))
        flow.add([sound[key] for key in keys])
        for done in _all(flow):
            if done.outcome == MEASURED:
                times[done.work.key] += nanoseconds(done.times_s)
    found = []
    for place, match in enumerate(matches):
        default_ns = times.get((place, 0), nanoseconds(match.default.times_s))
        others = {rank: times.get((place, rank), []) for rank in range(1, len(match.others()) + 1)}
        found.append(_verdict(match, default_ns, others, len(earlier.known.get(match.task.hash, {})), journal))
    return found


def _works(place: int, match: Match, workload: str, target: str) -> List[Work]:
    """What is to be built, by task and schedule, the default one being 0; nothing where there is none to compare."""
    task, default = match.task, match.default
    if not match.others() or not default.times_s:
        return []
    works = []
    if not (match.best and clearly_slower(default, match.best)):
        works.append(_of_default((place, 0), task, ONCE, default.library))
    for rank, one in enumerate(match.others(), start=1):
        # One that TVM cannot make any more, as another release may have written it, has no time.
        with contextlib.suppress(Exception):
            module = generation.rebuilt(workload, one.trace, one.args_info, target)
            works.append(Work((place, rank), module, arguments(one.args_info), ONCE, "", True))
    return works


def clearly_slower(default: Defaults, best: Sequence[Known]) -> bool:
    """Whether a default's first times are enough: not where a busy machine has spread either, then the two stand side
    by side after all."""
    slower = statistics.median(default.times_s) > CLEAR * statistics.median(best[0].times_s)
    return slower and not why_not(nanoseconds(default.times_s), nanoseconds(best[0].times_s))


def _all(flow: Flow) -> List[Done]:
    found: List[Done] = []
    while flow.waiting():
        found += flow.step()
    return found


def worth_comparing(known: Dict[str, Known], default: Defaults) -> List[Known]:
    """The fastest ones, or the fastest alone where not even that was faster than the default schedule."""
    ordered = fastest_first(known.values())[:BEST]
    if not ordered or not default.times_s:
        return ordered
    faster = statistics.median(ordered[0].times_s) < statistics.median(default.times_s)
    return ordered if faster else ordered[:1]


def _verdict(
    match: Match, default: List[float], others: Dict[int, List[float]], trials: int, journal: Journal
) -> Verdict:
    """By the times of the default and, by rank from 1, of the others, in nanoseconds; none where one had none."""
    task, ranked = match.task, match.others()
    measured = {rank: times for rank, times in others.items() if times}
    winner = min(measured, key=lambda rank: statistics.median(measured[rank]), default=0)
    now = "" if match.standing is None else match.standing.trace
    for rank, one in enumerate(ranked, start=1):
        if one.trace == now and rank != winner and default:
            # A line of its own, since what an earlier job chose elsewhere must not outlive having lost here.
            why = why_not(default, others[rank]) if others[rank] else BROKE
            journal.choice(task.hash, trace_hash(one.trace), trials, default, others[rank], why)
    if not winner or not default:
        why = NO_TIME if not ranked else BROKE if default else UNMEASURED
        trace, tuned = "", []
    else:
        trace, tuned = trace_hash(ranked[winner - 1].trace), measured[winner]
        why = why_not(default, tuned)
    journal.choice(task.hash, trace, trials, default, tuned, why)
    return Verdict(task, trials, default, tuned, not why, why)
