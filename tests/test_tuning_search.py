"""The search over stand-ins of processes and device: what of the proposals is measured, learned and logged."""

from types import SimpleNamespace
from typing import Any, Dict, List, Sequence, Tuple

import pytest

from harness.backends._tvm_tuning.flow import Done, Work
from harness.backends._tvm_tuning.meter import INVALID, MEASURED
from harness.backends._tvm_tuning.search import HOPELESS, POOR, Known, Pace, Search
from harness.backends._tvm_tuning.searchers import Proposal, Thought

PACE = Pace(batch=4, few=2, ahead=0, repeat_s=0.01)


def task(name: str, weight: int = 1) -> Any:
    return SimpleNamespace(hash=name, name=name, weight=weight)


class Thinkers:
    """One process that answers at once, with the next of `batches`."""

    def __init__(self, batches: List[List[str]], seconds: float = 1.0) -> None:
        self.batches, self.seconds = batches, seconds
        self.told: List[Tuple[int, Any]] = []
        self.learned: List[Tuple[int, List[Sequence[float]]]] = []
        self.next: List[Thought] = []

    def free(self) -> List[int]:
        return [0]

    def own(self, searcher: int) -> List[int]:
        return []

    def thinking(self) -> List[int]:
        return [one.place for one in self.next]

    def think(self, searcher: int, place: int, told: Any) -> None:
        self.told.append((place, told))
        traces = self.batches.pop(0) if self.batches else []
        self.next.append(Thought(place, [Proposal("module", one, "[]") for one in traces], "", self.seconds))

    def thoughts(self) -> List[Thought]:
        found, self.next = self.next, []
        return found

    def learn(self, place: int, times_s: List[Sequence[float]]) -> None:
        self.learned.append((place, times_s))

    def wakers(self) -> List[int]:
        return []

    def close(self) -> None:
        pass


class Device:
    """Measures what it was sent at the next step; a schedule takes as many milliseconds as its trace has letters."""

    def __init__(self, alone: bool = False) -> None:
        self.works: List[Work] = []
        self.had: List[Work] = []
        self.alone = alone

    def add(self, works: Sequence[Work]) -> None:
        self.works += works
        self.had += works

    def waiting(self) -> int:
        return len(self.works)

    def step(self, wakers: Sequence[int] = (), thinking: bool = False) -> List[Done]:
        done, self.works = self.works, []
        found = []
        for one in done:
            batch, index = one.key
            seconds = len(batch.proposals[index].trace) / 1e3
            found.append(Done(one, (seconds, seconds), MEASURED, "", "", ""))
        return found

    def measures_alone(self) -> bool:
        return self.alone and bool(self.works)

    def drop(self) -> None:
        self.works = []


class Book:
    """What would be logged."""

    def __init__(self) -> None:
        self.lines: List[Tuple[str, str]] = []
        self.none: List[Tuple[str, str]] = []

    @property
    def trials(self) -> int:
        return len(self.lines)

    def trial(self, task: str, trace: str, args_info: str, times_s: Sequence[float]) -> None:
        self.lines.append((task, trace))

    def no_time(self, outcome: str, reason: str) -> None:
        self.none.append((outcome, reason))

    def seconds(self) -> float:
        return 0.0

    def point(self, estimated_s: float) -> None:
        pass


def searched(
    thinkers: Thinkers,
    trials: int,
    tasks: Sequence[Any] = (task("t"),),
    known: Any = None,
    device: Any = None,
    first: Sequence[Thought] = (),
) -> Tuple[Search, Book, str]:
    book: Any = Book()
    defaults = [1.0] * len(tasks)
    made = Search(
        tasks,
        defaults,
        known or {},
        {one.hash: "work" for one in tasks},
        PACE,
        thinkers,
        device or Device(),
        book,  # type: ignore[arg-type]
    )
    return made, book, made.run(trials, lambda: "", lambda: 0.0, first)


def test_a_schedule_that_is_proposed_twice_is_measured_once_and_learned_twice() -> None:
    thinkers = Thinkers([["a", "bb", "a", "a"], ["cc", "bb"]])
    _, book, ended = searched(thinkers, 3)
    assert book.lines == [("t", "a"), ("t", "bb"), ("t", "cc")]
    assert thinkers.learned[0] == (0, [(0.001, 0.001), (0.002, 0.002), (0.001, 0.001), (0.001, 0.001)])
    assert thinkers.learned[1] == (0, [(0.002, 0.002), (0.002, 0.002)])
    assert ended == "trials"


def test_what_an_earlier_job_measured_is_not_measured_again() -> None:
    known: Dict[str, Dict[str, Known]] = {"t": {"a": Known("a", "[]", (0.5,))}}
    thinkers = Thinkers([["a", "bb"]])
    search, book, ended = searched(thinkers, 9, known=known)
    assert book.lines == [("t", "bb")]
    assert thinkers.told[0][1]["known"] == [["a", "[]", (0.5,)]]
    assert ended == "space"
    assert search.progress[0].best_s == 0.002


def test_what_was_good_elsewhere_is_measured_before_anything_is_thought_of() -> None:
    thinkers = Thinkers([["a", "bb", "ccc"]])
    first = [Thought(0, [Proposal("module", one, "[]") for one in ("bb", "dddd")], "", 0.0)]
    search, book, _ = searched(thinkers, 9, first=first)
    assert book.lines == [("t", "bb"), ("t", "dddd"), ("t", "a"), ("t", "ccc")]
    assert [one[0] for one in thinkers.told[0][1]["known"]] == ["bb", "dddd"], "whoever thinks is told of their times"
    assert search.progress[0].best_s == 0.001


def test_no_more_of_it_is_measured_than_trials_were_asked_for() -> None:
    first = [Thought(0, [Proposal("module", one, "[]") for one in ("bb", "dddd")], "", 0.0)]
    _, book, ended = searched(Thinkers([["a"]]), 1, first=first)
    assert (book.lines, ended) == ([("t", "bb")], "trials")


def test_candidates_slower_than_the_best_are_measured_less() -> None:
    known: Dict[str, Dict[str, Known]] = {"t": {"a": Known("a", "[]", (0.5,))}}
    device = Device()
    searched(Thinkers([["bb"]]), 1, known=known, device=device)
    (work,) = device.had
    assert work.settings.poor_s == pytest.approx(POOR * 0.5), "the default takes 1 s, the best 0.5 s"
    assert work.settings.hopeless_s == pytest.approx(HOPELESS * 0.5)
    assert work.settings.min_repeat_s == PACE.repeat_s


def test_others_are_thought_of_while_candidates_are_built_and_no_more_than_may_wait() -> None:
    """A device that takes turns builds first: meanwhile there is thinking, until `ahead` is passed."""

    class Builds(Device):
        steps = 0

        def step(self, wakers: Sequence[int] = (), thinking: bool = False) -> List[Done]:
            self.steps += 1
            return super().step(wakers, thinking) if self.steps % 8 == 0 else []

    def thought_before_the_first_time(ahead: int) -> int:
        device, book = Builds(), Book()
        thinkers: Any = Thinkers([["a", "bb"], ["ccc", "dddd"], ["eeeee", "f" * 6], ["g" * 7, "h" * 8]])
        tasks = [task(name) for name in "tuvw"]
        pace, works = PACE._replace(ahead=ahead), {one.hash: "" for one in tasks}
        made = Search(tasks, [1.0] * 4, {}, works, pace, thinkers, device, book)  # type: ignore[arg-type]
        made.run(8, lambda: "one turn" if device.steps == 8 else "", lambda: 0.0)
        return len(thinkers.told)

    assert thought_before_the_first_time(ahead=0) == 1
    assert thought_before_the_first_time(ahead=2) == 2
    assert thought_before_the_first_time(ahead=100) == 4


def test_a_task_of_little_time_is_thought_about_in_small_batches() -> None:
    tasks = [task("large", 10**6), task("small")]
    thinkers = Thinkers([["a"], ["b"], ["c"]])
    searched(thinkers, 3, tasks)
    batches = {tasks[place].name: told["batch"] for place, told in thinkers.told if told is not None}
    assert batches == {"large": 4, "small": 2}


def test_a_task_that_takes_minutes_to_think_about_waits_for_others() -> None:
    slow = Thinkers([["aaaa"], ["bbbb"], ["cccc"], ["dddd"]], seconds=100.0)
    search, _, _ = searched(slow, 1)
    quick = search.progress[0].worth()
    search.progress[0].thought_s = 0.0
    assert search.progress[0].worth() > 10 * quick


def test_nobody_thinks_while_it_is_the_meters_turn() -> None:
    """Each step of this device lasts as long as its candidates: were others thought of, they would come beside them."""

    class Slow(Device):
        turns = 0

        def step(self, wakers: Sequence[int] = (), thinking: bool = False) -> List[Done]:
            assert not (thinking and self.works), "thinking disturbs what is measured"
            self.turns += bool(self.works)
            return super().step(wakers, thinking) if self.turns % 2 == 0 else []

    device, book = Slow(alone=True), Book()
    thinkers: Any = Thinkers([["a"], ["bb"], ["ccc"]])
    pace = PACE._replace(ahead=4)
    tasks = [task("t"), task("u")]
    made = Search(tasks, [1.0, 1.0], {}, {"t": "", "u": ""}, pace, thinkers, device, book)  # type: ignore[arg-type]
    assert made.run(3, lambda: "", lambda: 0.0) == "trials"
    assert device.turns == 6


def test_candidates_without_a_time_are_counted_and_are_no_trials() -> None:
    class Broken(Device):
        def step(self, wakers: Sequence[int] = (), thinking: bool = False) -> List[Done]:
            return [one._replace(times_s=(), outcome=INVALID, reason="no") for one in super().step(wakers, thinking)]

    book: Any = Book()
    thinkers: Any = Thinkers([["a", "bb"]])
    made = Search([task("t")], [1.0], {}, {"t": "work"}, PACE, thinkers, Broken(), book)  # type: ignore[arg-type]
    assert made.run(9, lambda: "", lambda: 0.0) == "space"
    assert (book.lines, book.none) == ([], [(INVALID, "no")] * 2)
    assert thinkers.learned[0] == (0, [(), ()])
