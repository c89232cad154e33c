"""The search: which task gets the next batch, what was tried already, and every measured time logged before the next.

Searching runs in a thread of its own, where TVM lets go of the interpreter; beside it this thread keeps the builders
and the meter busy. Where measuring and computing would disturb each other they take turns, a batch at a time.
"""

import os
import statistics
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from harness.backends._tvm_tuning import generation
from harness.backends._tvm_tuning.flow import Done, Flow, Work
from harness.backends._tvm_tuning.generation import How, Proposal, Space
from harness.backends._tvm_tuning.journal import Journal, arguments
from harness.backends._tvm_tuning.meter import MEASURED, Settings
from harness.backends._tvm_tuning.progress import Progress, most_promising, whole_s
from harness.backends._tvm_tuning.tasks import TuningTask

HOPELESS = 3.0
"""Times the best known: such a candidate is timed once."""
SLOWEST_S = 10.0
"""Taken for a default schedule without a time, so that its task is tuned first."""


class Batch:
    """Candidates of one task that were proposed together."""

    def __init__(self, place: int, proposals: List[Proposal]) -> None:
        self.place, self.proposals = place, proposals
        self.times_s: List[Sequence[float]] = [()] * len(proposals)
        self.open = 0


class Known(NamedTuple):
    """A trial of this job or an earlier one."""

    trace: str
    args_info: str
    times_s: Sequence[float]


class Search:
    """`tasks` have their defaults measured already: `defaults_s` has a time of each, or None."""

    def __init__(
        self,
        tasks: Sequence[TuningTask],
        defaults_s: Sequence[Optional[float]],
        known: Dict[str, Dict[str, Known]],
        target: Any,
        how: How,
        model: Any,
        flow: Flow,
        journal: Journal,
        ahead: int,
    ) -> None:
        self._tasks, self._how, self._target = tasks, how, target
        self._model, self._database = model, generation.memory_database()
        self._flow, self._journal, self._ahead = flow, journal, ahead
        self.known = known
        """By task hash and trace, all that has a time; grows."""
        self.progress = [self._progress(task, default) for task, default in zip(tasks, defaults_s)]
        self._spaces: Dict[int, Space] = {}
        self._batches: List[Batch] = []
        self._finished: List[Batch] = []

    def _progress(self, task: TuningTask, default_s: Optional[float]) -> Progress:
        times = [statistics.median(one.times_s) for one in self.known.get(task.hash, {}).values()]
        batches = -(-len(times) // self._how.batch)
        found = Progress(task.weight, default_s or SLOWEST_S, min(times, default=float("inf")), batches)
        found.trials = len(times)
        return found

    def run(self, trials: int, until: Callable[[], str]) -> str:
        """Until so many trials are logged, or `until` gives a reason, or no task has a new candidate; tells which.

        What is on its way then is dropped, but for the candidate that is being measured.
        """
        ended = ""
        last = self._journal.trials + trials
        wake, waker = os.pipe()
        self._journal.point(whole_s(self.progress))
        with ThreadPoolExecutor(1) as thread:
            thought: Optional["Future[Optional[Batch]]"] = None
            while not ended:
                if thought is not None and thought.done():
                    os.read(wake, 1)
                    batch, thought = thought.result(), None
                    if batch is not None:
                        self._start(batch, last)
                if thought is None:
                    place = self._next()
                    if place is None and not self._finished and not self._batches:
                        ended = "space"
                    if place is not None or self._finished:
                        finished, self._finished = self._finished, []
                        thought = thread.submit(self._think, finished, place)
                        thought.add_done_callback(lambda _: os.write(waker, b"."))
                for done in self._flow.step([wake], thinking=thought is not None):
                    self._take(done, last)
                ended = ended or ("trials" if self._journal.trials >= last else until())
            self._flow.drop()
            while self._flow.waiting() and self._journal.trials < last:
                for done in self._flow.step():
                    self._take(done, last)
        self._journal.point(whole_s(self.progress))
        os.close(wake)
        os.close(waker)
        return ended

    def _next(self) -> Optional[int]:
        """The task to propose candidates of now, or None: enough are on their way."""
        if self._flow.waiting() > self._ahead:
            return None
        return most_promising(self.progress, [batch.place for batch in self._batches])

    def _think(self, finished: List[Batch], place: Optional[int]) -> Optional[Batch]:
        """In the thread: learns from what was measured, then proposes."""
        for batch in finished:
            self._spaces[batch.place].learn(batch.proposals, batch.times_s)
        if place is None:
            return None
        if place not in self._spaces:
            self._spaces[place] = self._space(place)
        return Batch(place, self._spaces[place].propose())

    def _space(self, place: int) -> Space:
        task = self._tasks[place]
        space = Space(task.module, self._target, task.name, self._how, self._database, self._model)
        remembered: List[Tuple[Any, Sequence[float]]] = []
        for one in self.known.get(task.hash, {}).values():
            candidate = space.remember(one.trace, one.args_info, one.times_s)
            if candidate is not None:
                remembered.append((candidate, one.times_s))
        space.recall(remembered)
        return space

    def _start(self, batch: Batch, last: int) -> None:
        task, progress = self._tasks[batch.place], self.progress[batch.place]
        known = self.known.setdefault(task.hash, {})
        settings = Settings(hopeless_s=HOPELESS * progress.best_s)
        works: List[Work] = []
        for index, proposal in enumerate(batch.proposals):
            if proposal.trace in known:
                batch.times_s[index] = known[proposal.trace].times_s
            elif self._journal.trials + self._flow.waiting() + len(works) < last:
                info = arguments(proposal.args_info)
                works.append(Work((batch, index), proposal.module, info, settings))
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
            times = [statistics.median(one) for one in batch.times_s if one]
            self.progress[batch.place].add(min(times, default=float("inf")))
            self._batches.remove(batch)
            self._finished.append(batch)
            self._journal.point(whole_s(self.progress))


def of_log(trials: Sequence[Any]) -> Dict[str, Dict[str, Known]]:
    """Trials of a log as a search knows them: the newest time of each schedule."""
    known: Dict[str, Dict[str, Known]] = {}
    for one in trials:
        seconds = [ns / 1e9 for ns in one.times_ns]
        known.setdefault(one.task, {})[one.trace] = Known(one.trace, one.args_info, seconds)
    return known
