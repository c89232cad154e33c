"""How far each task has come, and which is worth the next batch: TVM's gradient scheduler, with its own constants.

L. Zheng et al., Ansor (OSDI 2020), section 6: a task's promise is its weight times what it gained lately, or times what
it would gain if its time went on falling as one over its batches. Its worth is that by what the next batch costs.
"""

from typing import List, Optional, Sequence, Tuple

ALPHA = 0.2
WINDOW = 3
LEAST_SHARE = 0.005
"""Of the model's time: tasks below it wait until larger ones have been tried, and tried again."""
LATE = 0.5
"""Of a job, after which they wait no longer."""
STAY = 2.0
"""So many times the worth must another process's task have, to be worth making its schedules anew."""
BATCH_S = 5.0
"""That building and measuring a batch takes, about."""
STALE = 3
"""Batches without a new candidate after which a task has none."""


class Progress:
    """One task's."""

    def __init__(self, weight: int, default_s: float, best_s: float = float("inf"), batches: int = 0) -> None:
        self.weight = weight
        self.default_s = default_s
        self.trials = 0
        self.history: List[float] = [min(default_s, best_s)] * batches
        self.best_s = min(default_s, best_s)
        """Of a call, by the default schedule or the best one."""
        self.stale = 0
        self.thought_s = 0.0
        """What the last batch took to think of."""

    def add(self, best_s: float) -> None:
        """After a batch; `best_s` is infinite where it had no times."""
        self.best_s = min(self.best_s, best_s)
        self.history.append(self.best_s)

    @property
    def exhausted(self) -> bool:
        return self.stale >= STALE

    @property
    def share_s(self) -> float:
        """Of the model's whole time."""
        return self.weight * self.best_s

    def worth(self) -> float:
        """What the next batch promises, by what it costs: a batch of a large computation takes longer to think of than
        to measure."""
        return self.promise_s() / (BATCH_S + self.thought_s)

    def promise_s(self) -> float:
        batches = len(self.history)
        if batches == 0:
            return self.share_s
        since = self.history[max(0, batches - 1 - WINDOW)]
        gained = (since - self.best_s) / min(WINDOW, batches)
        return self.weight * (ALPHA * gained + (1 - ALPHA) * self.best_s / batches)


def most_promising(
    all_tasks: Sequence[Progress], busy: Sequence[int] = (), own: Sequence[int] = (), spent: float = 0.0
) -> Optional[int]:
    """Place of the task that gets the next batch, of those that are not `busy`; None where no task has candidates.

    First each task that takes a share of the time has a batch, the largest first. Then their worth decides, until half
    of the job is `spent`: then also the smallest tasks have one. `own` tasks are those that cost least to go on with.
    """
    least_s = _least_s(all_tasks) if spent < LATE else 0.0

    def key(place: int) -> Tuple[bool, float]:
        one = all_tasks[place]
        if not one.history and one.share_s >= least_s:
            return True, one.share_s
        return False, one.worth() * (STAY if place in own else 1.0)

    open_tasks = [place for place, one in enumerate(all_tasks) if not one.exhausted and place not in busy]
    return max(open_tasks, key=key, default=None)


def small(all_tasks: Sequence[Progress], place: int) -> bool:
    """Whether the task takes less than LEAST_SHARE of the model's time."""
    return all_tasks[place].share_s < _least_s(all_tasks)


def _least_s(all_tasks: Sequence[Progress]) -> float:
    return LEAST_SHARE * whole_s(all_tasks)


def whole_s(all_tasks: Sequence[Progress]) -> float:
    """The model's estimated time: its tasks' one after another."""
    return sum(one.share_s for one in all_tasks)
