"""Which schedules stand beside a task's default at the end of a job, and whether the default must be measured anew."""

from typing import Dict, List

from harness.backends._tvm_tuning.finals import BEST, Defaults, clearly_slower, worth_comparing
from harness.backends._tvm_tuning.search import Known

DEFAULT = Defaults((10e-3, 10.01e-3, 10.02e-3), "")


def of(*times: float, here: bool = True) -> Dict[str, Known]:
    """Schedules named by where they were measured and how many milliseconds they took."""
    words = "here" if here else "there"
    return {
        f"{words} {ms}": Known(f"{words} {ms}", "[]", (ms / 1e3, ms / 1e3 + 1e-6, ms / 1e3 + 2e-6), here)
        for ms in times
    }


def names(found: List[Known]) -> List[str]:
    return [one.trace for one in found]


def test_the_fastest_meet_the_default() -> None:
    assert BEST == 2
    assert names(worth_comparing(of(5, 3, 4), DEFAULT)) == ["here 3", "here 4"]


def test_where_none_was_faster_the_fastest_meets_it_alone() -> None:
    assert names(worth_comparing(of(15, 13, 14), DEFAULT)) == ["here 13"]


def test_those_of_another_machine_take_no_place_from_those_of_here() -> None:
    both = {**of(5, 3, 4), **of(1, 2, 20, here=False)}
    assert names(worth_comparing(both, DEFAULT)) == ["here 3", "here 4", "there 1", "there 2"]
    assert names(worth_comparing(of(20, here=False), DEFAULT)) == ["there 20"], "a slower machine's time says nothing"


def test_nothing_known_is_nothing_to_compare() -> None:
    assert worth_comparing({}, DEFAULT) == []
    assert names(worth_comparing(of(15, 13, 14), Defaults((), ""))) == ["here 13", "here 14"]


def test_a_default_that_is_far_slower_need_not_be_measured_again_unless_the_times_are_of_another_machine() -> None:
    assert clearly_slower(DEFAULT, list(of(3).values()))
    assert not clearly_slower(DEFAULT, list(of(8).values()))
    assert not clearly_slower(DEFAULT, list(of(3, here=False).values()))
