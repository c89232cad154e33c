"""How often a candidate is called, by how long its calls take, over a stand-in of TVM's evaluator.

The stand-in keeps to what TVM documents of it: one call before the repeats that is not timed, and a repeat that took
less than asked for is timed anew with more calls. `tests/test_tuning_processes.py` has the real one.
"""

import math
from types import SimpleNamespace
from typing import Any, Callable, List, Tuple

import pytest

from harness.backends._tvm_tuning.candidate import Loaded
from harness.backends._tvm_tuning.meter import Settings

LEAST_S = 0.02
SETTINGS = Settings(repeats=3, min_repeat_s=LEAST_S, hopeless_s=3.0, poor_s=1.5)


class Timed(Loaded):
    """Of a candidate whose calls take `call_s`; the first timed one is disturbed, and takes `longer` times as long."""

    def __init__(self, call_s: float, longer: float = 1.0) -> None:
        self.call_s, self.longer = call_s, longer
        self.device = None
        self.calls: List[int] = []
        """Of each repeat that counted."""
        self.lost: List[int] = []
        """Of each that was too short."""

    def module(self, library: str) -> Any:
        return SimpleNamespace(entry_name="main", time_evaluator=self._evaluator)

    def _filled(self, args_info: Any) -> Tuple[Any, ...]:
        return ()

    def _evaluator(self, name: str, device: Any, number: int, repeat: int, min_repeat_ms: int) -> Callable[[], Any]:
        def one_repeat() -> float:
            calls = number
            while self._took(calls) < min_repeat_ms / 1e3:
                self.lost.append(calls)
                calls = max(math.ceil(min_repeat_ms / 1e3 / self.call_s), math.ceil(1.618 * calls))
            self.calls.append(calls)
            took = self._took(calls) / calls
            self.longer = 1.0
            return took

        return lambda: SimpleNamespace(results=[one_repeat() for _ in range(repeat)])

    def _took(self, calls: int) -> float:
        return self.call_s * (calls - 1 + self.longer)

    def times(self, settings: Settings = SETTINGS) -> Tuple[float, ...]:
        return self.times_s("one.so", [], settings)


@pytest.mark.parametrize("call_s", [1e-6, 1e-4, 1.9e-3, 0.0101, 0.0135, 0.0199, 0.02, 0.7])
@pytest.mark.parametrize("longer", [1.0, 3.0])
def test_each_repeat_that_counts_lasts_long_enough_and_not_much_longer(call_s: float, longer: float) -> None:
    one = Timed(call_s, longer)
    found = one.times(SETTINGS._replace(hopeless_s=float("inf"), poor_s=float("inf")))
    assert len(found) == 3
    for calls in one.calls[-2:]:
        assert LEAST_S <= calls * call_s <= max(2.0 * LEAST_S, call_s)
    assert found[1:] == pytest.approx([call_s] * 2)


def test_no_repeat_is_spent_on_learning_how_long_a_call_takes() -> None:
    """A call, a repeat of it with many calls, and the two that are left."""
    one = Timed(1e-4)
    one.times()
    assert len(one.calls) == 4
    assert one.calls[0] == 1
    assert one.lost == []


def test_a_call_that_lasts_long_enough_is_a_repeat_itself() -> None:
    one = Timed(0.7)
    assert one.times() == pytest.approx([0.7] * 3)
    assert one.calls == [1, 1, 1]


def test_a_hopeless_one_is_timed_once_and_a_poor_one_a_repeat_long() -> None:
    hopeless, poor = Timed(1e-4), Timed(1e-4)
    assert hopeless.times(SETTINGS._replace(hopeless_s=0.9e-4)) == pytest.approx([1e-4])
    assert hopeless.calls == [1]
    assert poor.times(SETTINGS._replace(poor_s=0.9e-4)) == pytest.approx([1e-4])
    assert len(poor.calls) == 2
    assert poor.calls[-1] * 1e-4 >= LEAST_S


def test_a_first_call_that_is_disturbed_makes_none_poor() -> None:
    one = Timed(1e-4, longer=5.0)
    assert len(one.times(SETTINGS._replace(poor_s=1.1e-4))) == 3
