"""A pool of processes that think about several tasks at once; one that hangs or crashes costs what it had learnt."""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from harness.backends._tvm_tuning.child import Child
from harness.errors import BuildError

MODULE = "harness.backends._tvm_tuning.searching"
LIMIT_S = 300.0
"""For one batch: minutes on a board's cores, seconds on a workstation's."""
START_LIMIT_S = 300.0

Times = List[Sequence[float]]
"""Of a batch, in the order in which it was proposed; empty where a candidate had none."""


class Proposal(NamedTuple):
    """A candidate as the search hands it on."""

    module: str
    """JSON of its scheduled module."""
    trace: str
    args_info: str


class Thought(NamedTuple):
    """What one process came to about one task."""

    place: int
    proposals: List[Proposal]
    reason: str
    """Why there are none, where that is no decision of the strategy's."""
    seconds: float
    """That the proposals took, without what comes once for each task."""


class Searchers:
    """Tasks go by their place in the search's list. A task belongs to the process that last thought about it."""

    def __init__(self, count: int, hello: Any, threads: int, limit_s: float = LIMIT_S) -> None:
        """`threads` that each may take: OpenMP's, which XGBoost uses, would else be all cores in every process."""
        self._limit_s = limit_s
        environment = {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "passive", "TVM_NUM_THREADS": str(threads)}
        self._children = [Child(MODULE, hello, environment) for _ in range(count)]
        self._thinks: Dict[int, int] = {}
        """Process, by its place in the list, to the task that it thinks about."""
        self._owner: Dict[int, int] = {}
        self._lessons: Dict[int, Dict[int, Times]] = {}
        """By process and task: times that it has not been told."""
        self._failed_starts = 0

    def free(self) -> List[int]:
        """Processes that could think now."""
        return [one for one, child in enumerate(self._children) if child.ready is not None and one not in self._thinks]

    def thinking(self) -> List[int]:
        """Tasks that are thought about."""
        return list(self._thinks.values())

    def own(self, searcher: int) -> List[int]:
        """Tasks whose schedules that process knows."""
        return [place for place, owner in self._owner.items() if owner == searcher]

    def think(self, searcher: int, place: int, told: Optional[Any]) -> None:
        """`told` is what a process must know of a task that is not its own: see `searching.py`."""
        lessons: List[Tuple[int, Times]] = list(self._lessons.pop(searcher, {}).items())
        self._owner[place] = searcher
        self._thinks[searcher] = place
        self._children[searcher].send({"lessons": lessons, "place": place, "task": told})

    def learn(self, place: int, times_s: Times) -> None:
        """Kept for its owner, who hears of it before it thinks again."""
        owner = self._owner.get(place)
        if owner is not None:
            self._lessons.setdefault(owner, {})[place] = times_s

    def thoughts(self) -> List[Thought]:
        """What has come since the last call, without waiting."""
        return [thought for searcher in range(len(self._children)) for thought in self._of(searcher)]

    def _of(self, searcher: int) -> List[Thought]:
        child = self._children[searcher]
        try:
            messages = child.received()
        except EOFError as error:
            return self._replaced(searcher, f"the process that thought about it ended ({error})")
        found = []
        for message in messages:
            proposals = [Proposal(*one) for one in message["proposals"]]
            place = self._thinks.pop(searcher)
            if message["reason"]:  # whoever thinks about it next is told of it anew
                self._owner.pop(place, None)
            found.append(Thought(place, proposals, message["reason"], message["seconds"]))
        if child.ready is not None:
            self._failed_starts = 0
        if searcher in self._thinks and child.idle_s() > self._limit_s:
            return [*found, *self._replaced(searcher, f"no candidates within {self._limit_s:g} s")]
        if child.ready is None and child.idle_s() > START_LIMIT_S:
            return self._replaced(searcher, f"no start within {START_LIMIT_S:g} s")
        return found

    def _replaced(self, searcher: int, reason: str) -> List[Thought]:
        place = self._thinks.pop(searcher, None)
        if place is None:
            self._failed_starts += 1
            if self._failed_starts > 2 * len(self._children):
                raise BuildError(f"tvm: the processes that propose candidates do not start: {reason}")
        for one in self.own(searcher):
            del self._owner[one]
        self._lessons.pop(searcher, None)
        self._children[searcher].again()
        return [] if place is None else [Thought(place, [], reason, self._limit_s)]

    def wakers(self) -> List[int]:
        return [child.fileno() for child in self._children]

    def close(self) -> None:
        """Whatever they think about is abandoned. May be called twice."""
        for child in self._children:
            child.end()
        self._children, self._thinks = [], {}
