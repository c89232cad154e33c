"""Calls that never return, return late, or take their time: the others are made all the same."""

import threading
import time
from typing import Callable, List

from harness.sensors.patience import call_all


def note(said: List[str], text: str) -> Callable[[], None]:
    return lambda: said.append(text)


def test_calls_are_made_in_order() -> None:
    said: List[str] = []
    assert call_all([note(said, "a"), note(said, "b")], 5) == []
    assert said == ["a", "b"]
    assert call_all([], 5) == []


def test_one_that_blocks_is_left_behind_and_the_next_are_made() -> None:
    said: List[str] = []
    free = threading.Event()
    start = time.monotonic()
    left = call_all([note(said, "a"), lambda: free.wait(30) and None, note(said, "c")], 0.1)
    assert time.monotonic() - start < 15
    assert said == ["a", "c"]
    assert [one.call for one in left] == [1]
    assert not left[0].returned.is_set()
    free.set()
    assert left[0].returned.wait(5), "it is known to have come back"
    assert said == ["a", "c"], "a thread that comes back makes no more calls"


def test_several_that_block_cost_their_limit_each() -> None:
    said: List[str] = []
    free = threading.Event()
    calls = [lambda: free.wait(30) and None, note(said, "b"), lambda: free.wait(30) and None, note(said, "d")]
    left = call_all(calls, 0.1)
    free.set()
    assert [one.call for one in left] == [0, 2]
    assert said == ["b", "d"]


def test_a_call_that_takes_long_but_less_than_its_limit_is_waited_for() -> None:
    said: List[str] = []
    slow = [lambda: time.sleep(0.15) or said.append("slow")] * 4  # together they take longer than one may
    assert call_all(slow, 0.4) == []
    assert said == ["slow"] * 4
