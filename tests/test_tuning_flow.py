"""Candidates on their way, over stand-ins of builders and meter: who waits for whom, and what ends a job."""

import errno
import os
from pathlib import Path
from typing import Any, List, Sequence, Tuple

import pytest

from harness.backends._tvm_tuning.builders import Build
from harness.backends._tvm_tuning.flow import Done, Flow, Work
from harness.backends._tvm_tuning.meter import INVALID, MEASURED, Answer, Settings
from harness.errors import StorageError


class TwoBuilders:
    def __init__(self) -> None:
        self.out: List[int] = []
        self.ready: List[Build] = []

    def free(self) -> int:
        return 2 - len(self.out)

    def send(self, number: int, module: str, path: Path) -> None:
        self.out.append(number)

    def finish(self, outcome: str = "", reason: str = "") -> None:
        self.ready.append(Build(self.out.pop(0), outcome, reason))

    def built(self) -> List[Build]:
        found, self.ready = self.ready, []
        return found

    def wakers(self) -> List[int]:
        return []


class OnePlace:
    def __init__(self, overlaps: bool) -> None:
        self.overlaps = overlaps
        self.out: List[int] = []
        self.sent: List[int] = []
        self.ready: List[Answer] = []

    def places(self) -> int:
        return 1

    def send(self, number: int, library: Path, args_info: Sequence[Any], settings: Settings) -> None:
        self.out.append(number)
        self.sent.append(number)

    def finish(self) -> None:
        self.ready.append(Answer(self.out.pop(0), (1e-3, 1e-3), MEASURED, "", "here"))

    def answers(self, timeout_s: float) -> List[Answer]:
        found, self.ready = self.ready, []
        return found

    def wakers(self) -> List[int]:
        return []


def flow(tmp_path: Path, overlaps: bool, works: int) -> Tuple[Flow, TwoBuilders, OnePlace]:
    builders, meter = TwoBuilders(), OnePlace(overlaps)
    made = Flow(builders, meter, tmp_path)  # type: ignore[arg-type]
    made.add([Work(key, "module", [], Settings()) for key in range(works)])
    made.step()
    return made, builders, meter


def test_a_device_of_its_own_measures_while_others_are_built(tmp_path: Path) -> None:
    made, builders, meter = flow(tmp_path, True, 3)
    builders.finish()
    made.step()
    made.step(thinking=True)
    assert meter.out == [1]
    assert builders.out == [2, 3], "the third began when the first was done"


def test_where_both_compute_nothing_is_measured_before_all_is_built_and_thought(tmp_path: Path) -> None:
    made, builders, meter = flow(tmp_path, False, 2)
    builders.finish()
    made.step()
    made.step()
    assert meter.out == [], "another is still being built"
    builders.finish()
    made.step()
    made.step(thinking=True)
    assert meter.out == [], "the search computes"
    made.step()
    assert meter.out == [1]
    made.add([Work(9, "module", [], Settings())])
    made.step()
    assert builders.out == [], "nothing is built beside a measurement"


def test_the_meters_turn_lasts_until_all_that_is_built_is_measured(tmp_path: Path) -> None:
    made, builders, meter = flow(tmp_path, False, 2)
    assert not made.measures_alone(), "two are being built"
    for _ in range(2):
        builders.finish()
    made.step()
    assert made.measures_alone(), "two wait for it"
    for number in (1, 2):
        made.step()
        assert meter.out == [number]
        assert made.measures_alone()
        meter.finish()
        made.step()
    assert not made.measures_alone()
    assert made.waiting() == 0


def test_a_device_of_its_own_never_measures_alone(tmp_path: Path) -> None:
    made, builders, _ = flow(tmp_path, True, 1)
    builders.finish()
    made.step()
    made.step()
    assert not made.measures_alone()


def test_nothing_is_sent_to_the_device_before_the_caller_has_what_came_before(tmp_path: Path) -> None:
    made, builders, meter = flow(tmp_path, True, 2)
    builders.finish()
    builders.finish()
    made.step()
    made.step()
    assert meter.sent == [1]
    meter.finish()
    done = made.step()
    assert [one.work.key for one in done] == [0]
    assert meter.sent == [1], "the caller logs it first"
    made.step()
    assert meter.sent == [1, 2]


def test_a_candidate_that_cannot_be_built_comes_back_with_its_reason(tmp_path: Path) -> None:
    made, builders, _ = flow(tmp_path, True, 1)
    builders.finish(INVALID, "too many registers")
    (done,) = made.step()
    assert done == Done(done.work, (), INVALID, "too many registers", "", "")
    assert made.waiting() == 0


def test_a_full_disk_is_no_candidates_fault(tmp_path: Path) -> None:
    made, builders, _ = flow(tmp_path, True, 1)
    builders.finish(INVALID, f"g++: error: {os.strerror(errno.ENOSPC)}")
    with pytest.raises(StorageError, match=rf"{tmp_path}: No space left on device"):
        made.step()
