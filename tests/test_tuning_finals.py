"""Which schedules stand beside a task's default at the end of a job, and what is logged of those that lose."""

from types import SimpleNamespace
from typing import Any, Dict, List, Sequence, Tuple

import pytest

from harness.backends._tvm_tuning import finals, generation
from harness.backends._tvm_tuning.finals import BEST, Defaults, clearly_slower, worth_comparing
from harness.backends._tvm_tuning.flow import Done, Work
from harness.backends._tvm_tuning.meter import INVALID, MEASURED
from harness.backends._tvm_tuning.search import Known
from harness.backends._tvm_tuning.seeds import Earlier
from harness.schedules import trace_hash

DEFAULT = Defaults((10e-3, 10.01e-3, 10.02e-3), "default.so")


def known(name: str, ms: float) -> Known:
    return Known(name, "[]", (ms / 1e3, ms / 1e3 + 1e-6, ms / 1e3 + 2e-6))


def of(*times: float) -> Dict[str, Known]:
    """Schedules named by how many milliseconds they took."""
    return {str(ms): known(str(ms), ms) for ms in times}


def names(found: List[Known]) -> List[str]:
    return [one.trace for one in found]


def test_the_fastest_meet_the_default() -> None:
    assert BEST == 2
    assert names(worth_comparing(of(5, 3, 4), DEFAULT)) == ["3", "4"]
    assert names(worth_comparing(of(15, 13, 14), DEFAULT)) == ["13"], "where none was faster one is enough"
    assert worth_comparing({}, DEFAULT) == []


def test_a_default_that_is_far_slower_need_not_be_measured_again() -> None:
    assert clearly_slower(DEFAULT, list(of(3).values()))
    assert not clearly_slower(DEFAULT, list(of(8).values()))
    spread = Defaults((10e-3, 3e-3, 30e-3), "")
    assert not clearly_slower(spread, list(of(3).values()))


class Stage:
    """Builds and measures at once: each schedule takes the milliseconds that `takes` says now, or cannot be built."""

    def __init__(self, takes: Dict[str, float]) -> None:
        self.takes, self.works, self.built = takes, [], []  # type: Dict[str, float], List[Work], List[str]
        self.one_place = False

    def add(self, works: Sequence[Work]) -> None:
        self.works += works

    def waiting(self) -> int:
        return len(self.works)

    def step(self) -> List[Done]:
        done, self.works = self.works, []
        return [self._done(one) for one in done]

    def _done(self, work: Work) -> Done:
        name = work.library or f"{work.module}.so"
        if not work.library:
            self.built.append(work.module)
        ms = self.takes.get(name[: -len(".so")])
        return Done(work, (), INVALID, "no", "", "") if ms is None else Done(work, (ms / 1e3,), MEASURED, "", "", name)


class Book:
    """What would be logged: task, schedule, kept, why."""

    target = "target"

    def __init__(self) -> None:
        self.choices: List[Tuple[str, str, bool, str]] = []

    def choice(self, task: str, trace: str, trials: int, default: Any, tuned: Any, why: str) -> None:
        self.choices.append((task, trace, not why, why))

    def seconds(self) -> float:
        return 0.0


@pytest.fixture(autouse=True)
def rebuilt(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module is its schedule's name; one named `stale` cannot be made any more."""

    def made(workload: str, trace: str, args_info: str, target: str) -> str:
        if trace == "stale":
            raise ValueError("no such instruction")
        return trace

    monkeypatch.setattr(generation, "rebuilt", made)


def compared(stage: Stage, earlier: Dict[str, Known], standing: Any = None, default: Defaults = DEFAULT) -> Any:
    book: Any = Book()
    task: Any = SimpleNamespace(hash="t", default="default", args_info=[])
    log = Earlier({"t": earlier}, {}, {} if standing is None else {"t": standing}, {})
    (verdict,) = finals.compare([task], [default], log, {"t": ""}, stage, book, 9.0)  # type: ignore[arg-type]
    return verdict, book.choices


def test_what_an_engine_would_get_now_stays_where_it_wins_here() -> None:
    stage = Stage({"3": 3, "4": 4, "elsewhere": 2, "default": 10})
    verdict, choices = compared(stage, of(3, 4, 5), known("elsewhere", 9))
    assert stage.built == ["3", "4", "elsewhere"]
    assert choices == [("t", trace_hash("elsewhere"), True, "")]
    assert verdict.tuned_ns == pytest.approx([2e6] * 5)


def test_where_it_loses_that_is_logged_beside_the_winner() -> None:
    verdict, choices = compared(Stage({"3": 3, "4": 4, "elsewhere": 5, "default": 10}), of(3, 4), known("elsewhere", 1))
    assert choices == [("t", trace_hash("elsewhere"), True, ""), ("t", trace_hash("3"), True, "")]
    assert verdict.tuned_ns == pytest.approx([3e6] * 5)


@pytest.mark.parametrize("name", ["elsewhere", "stale"])
def test_where_it_cannot_be_built_here_that_is_logged(name: str) -> None:
    _, choices = compared(Stage({"3": 3, "default": 10}), of(3), known(name, 1))
    assert choices == [("t", trace_hash(name), False, finals.BROKE), ("t", trace_hash("3"), True, "")]


def test_one_that_is_among_the_fastest_stands_there_once() -> None:
    stage = Stage({"3": 3, "4": 4, "default": 10})
    assert compared(stage, of(3, 4), known("4", 4))[1] == [
        ("t", trace_hash("4"), True, ""),
        ("t", trace_hash("3"), True, ""),
    ]
    assert stage.built == ["3", "4"]


def test_a_time_from_elsewhere_spares_no_default_its_measurement() -> None:
    """The default has become quicker since its first times, and nothing here says that it is far slower."""
    stage = Stage({"elsewhere": 4, "default": 3})
    verdict, choices = compared(stage, {}, known("elsewhere", 1))
    assert verdict.default_ns == pytest.approx([3e6] * 5)
    assert [one[2:] for one in choices] == [(False, "not faster than the default schedule")]


def test_without_a_time_of_its_default_a_task_keeps_it() -> None:
    _, choices = compared(Stage({"3": 3}), of(3), default=Defaults((), ""))
    assert choices == [("t", "", False, finals.UNMEASURED)]
