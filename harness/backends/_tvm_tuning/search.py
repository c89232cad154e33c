"""The search: which task gets the next batch, what was tried already, and every measured time logged before the next.

Processes of their own think of candidates, several tasks at a time; this one hands tasks out, and keeps the builders
and the meter busy. Where measuring and computing would disturb each other they take turns, some batches at a time.
"""

import statistics
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence

from harness.backends._tvm_tuning.flow import Done, Flow, Work
from harness.backends._tvm_tuning.journal import Journal, arguments
from harness.backends._tvm_tuning.meter import MEASURED, Settings
from harness.backends._tvm_tuning.progress import Progress, most_promising, small, whole_s
from harness.backends._tvm_tuning.searchers import Proposal, Searchers, Thought
from harness.backends._tvm_tuning.tasks import TuningTask

HOPELESS, POOR = 3.0, 1.5
"""Times the best known: of such a candidate one call is timed, or one repeat."""
GRACE_S = 3.0
"""A process that builds takes as long to begin anew."""
SLOWEST_S = 10.0
"""Taken for a default schedule without a time, so that its task is tuned first."""


class Pace(NamedTuple):
    """How much at a time."""

    batch: int
    """Candidates of one task that are proposed together."""
    few: int
    """The same of a task that takes little time: some of those take seconds to think about each."""
    ahead: int
    """So many may wait to be built or measured, and still more are thought of."""
    repeat_s: float
    """That each repeat of a measurement takes at least."""


class Batch:
    """Candidates of one task that were proposed together."""

    def __init__(self, place: int, proposals: List[Proposal]) -> None:
        self.place, self.proposals = place, proposals
        self.times_s: List[Sequence[float]] = [()] * len(proposals)
        self.open = 0
        self.same: Dict[int, int] = {}
        """Proposals that are another one of the batch, by its place: TVM's strategies draw some twice."""


class Known(NamedTuple):
    """A trial of this job or an earlier one."""

    trace: str
    args_info: str
    times_s: Sequence[float]


def fastest_first(known: Iterable[Known]) -> List[Known]:
    return sorted(known, key=lambda one: (statistics.median(one.times_s), one.trace))


class Search:
    """`tasks` have their defaults measured already: `defaults_s` has a time of each, or None."""

    def __init__(
        self,
        tasks: Sequence[TuningTask],
        defaults_s: Sequence[Optional[float]],
        known: Dict[str, Dict[str, Known]],
        workloads: Dict[str, str],
        pace: Pace,
        searchers: Searchers,
        flow: Flow,
        journal: Journal,
    ) -> None:
        self._tasks, self._workloads, self._pace = tasks, workloads, pace
        self._searchers, self._flow, self._journal = searchers, flow, journal
        self.known = known
        """By task hash and trace, all that has a time; grows."""
        self.progress = [self._progress(task, default) for task, default in zip(tasks, defaults_s)]
        self._batches: List[Batch] = []
        self.said: List[str] = []
        """What kept a task from being thought about, a sentence each."""

    def _progress(self, task: TuningTask, default_s: Optional[float]) -> Progress:
        times = [statistics.median(one.times_s) for one in self.known.get(task.hash, {}).values()]
        batches = -(-len(times) // self._pace.batch)
        found = Progress(task.weight, default_s or SLOWEST_S, min(times, default=float("inf")), batches)
        found.trials = len(times)
        return found

    def run(
        self, trials: int, until: Callable[[], str], spent: Callable[[], float], first: Sequence[Thought] = ()
    ) -> str:
        """Until so many trials are logged, or `until` gives a reason, or no task has a new candidate; tells which.

        `first` is measured before anything is thought of.

        What is on its way then is dropped, but for the candidate that is being measured, and those that are built
        within GRACE_S. `spent` is the share of the job's time that is gone.
        """
        ended = ""
        begun = self._journal.trials
        last = begun + trials
        self._journal.point(whole_s(self.progress))
        for thought in first:
            self._start(thought, last)
        while not ended:
            if self._journal.trials + self._flow.waiting() < last:
                self._ask(max(spent(), (self._journal.trials - begun) / trials))
            if not self._batches and not self._searchers.thinking() and self._next([], 0.0) is None:
                ended = "space"
            for done in self._flow.step(self._searchers.wakers(), thinking=bool(self._searchers.thinking())):
                self._take(done, last)
            for thought in self._searchers.thoughts():
                self._start(thought, last)
            ended = ended or ("trials" if self._journal.trials >= last else until())
        self._searchers.close()
        self._flow.drop()
        end_s = self._journal.seconds() + GRACE_S
        while self._flow.waiting() and self._journal.trials < last:
            if self._journal.seconds() > end_s:
                self._flow.give_up()
            for done in self._flow.step():
                self._take(done, last)
        self._journal.point(whole_s(self.progress))
        return ended

    def _ask(self, spent: float) -> None:
        """Gives processes something to think about, unless enough candidates are on their way, or it is the meter's
        turn."""
        if self._flow.measures_alone():
            return
        for searcher in self._searchers.free():
            own = self._searchers.own(searcher)
            place = self._next(own, spent) if self._flow.waiting() <= self._pace.ahead else None
            if place is not None:
                self._searchers.think(searcher, place, None if place in own else self._told(place))

    def _next(self, own: Sequence[int], spent: float) -> Optional[int]:
        busy = [*(batch.place for batch in self._batches), *self._searchers.thinking()]
        return most_promising(self.progress, busy, own, spent)

    def _told(self, place: int) -> Any:
        """What a process must know of a task that it has not thought about; JSON."""
        task = self._tasks[place]
        known = self.known.get(task.hash, {}).values()
        return {
            "name": task.name,
            "workload": self._workloads[task.hash],
            "known": [list(one) for one in known],
            "batch": self._pace.few if small(self.progress, place) else self._pace.batch,
        }

    def _start(self, thought: Thought, last: int) -> None:
        batch = Batch(thought.place, thought.proposals)
        task, progress = self._tasks[batch.place], self.progress[batch.place]
        known = self.known.setdefault(task.hash, {})
        hopeless_s, poor_s = HOPELESS * progress.best_s, POOR * progress.best_s
        settings = Settings(min_repeat_s=self._pace.repeat_s, hopeless_s=hopeless_s, poor_s=poor_s)
        works: List[Work] = []
        first: Dict[str, int] = {}
        for index, proposal in enumerate(batch.proposals):
            if proposal.trace in known:
                batch.times_s[index] = known[proposal.trace].times_s
            elif first.setdefault(proposal.trace, index) != index:
                batch.same[index] = first[proposal.trace]
            elif self._journal.trials + self._flow.waiting() + len(works) < last:
                info = arguments(proposal.args_info)
                works.append(Work((batch, index), proposal.module, info, settings))
        if thought.reason:
            self.said.append(f"{task.name} could not be thought about: {thought.reason}")
        progress.thought_s = thought.seconds
        progress.stale = 0 if works else progress.stale + 1
        batch.open = len(works)
        self._flow.add(works)
        self._batches.append(batch)
        self._close(batch)

    def _take(self, done: Done, last: int) -> None:
        batch, index = done.work.key
        task, proposal = self._tasks[batch.place], batch.proposals[index]
        if done.outcome != MEASURED:
            self._journal.no_time(done.outcome, done.reason)
        elif self._journal.trials < last:
            self._journal.trial(task.hash, proposal.trace, proposal.args_info, done.times_s)
            self.known[task.hash][proposal.trace] = Known(proposal.trace, proposal.args_info, done.times_s)
            batch.times_s[index] = done.times_s
            self.progress[batch.place].trials += 1
        batch.open -= 1
        self._close(batch)

    def _close(self, batch: Batch) -> None:
        if batch.open == 0:
            for index, other in batch.same.items():
                batch.times_s[index] = batch.times_s[other]
            times = [statistics.median(one) for one in batch.times_s if one]
            self.progress[batch.place].add(min(times, default=float("inf")))
            self._batches.remove(batch)
            self._searchers.learn(batch.place, batch.times_s)
            self._journal.point(whole_s(self.progress))
