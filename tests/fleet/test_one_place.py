"""What is compared is timed by one board: a search that measures one candidate at a time sends all of them there."""

from pathlib import Path
from typing import List, Sequence

import pytest

from harness.backends._tvm_tuning.flow import Done, Flow, Work
from harness.backends._tvm_tuning.meter import Answer, ArgInfo, Settings


class Idle:
    """Builders that have nothing to do: every candidate is built already."""

    def wakers(self) -> List[int]:
        return []

    def built(self) -> List[object]:
        return []

    def free(self) -> int:
        return 0


class Boards:
    """Three that measure at one time, and answer when they are asked; keeps how many were out at most."""

    overlaps = True

    def __init__(self) -> None:
        self.out: List[int] = []
        self.most = 0

    def places(self) -> int:
        return 3

    def send(self, number: int, library: Path, args_info: Sequence[ArgInfo], settings: Settings) -> None:
        self.out.append(number)
        self.most = max(self.most, len(self.out))

    def answers(self, timeout_s: float) -> List[Answer]:
        return [Answer(self.out.pop(0), (0.001,))]

    def wakers(self) -> List[int]:
        return []

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("one_place", "most"), [(False, 3), (True, 1)])
def test_at_one_place_no_two_candidates_are_out(tmp_path: Path, one_place: bool, most: int) -> None:
    boards = Boards()
    flow = Flow(Idle(), boards, tmp_path)  # type: ignore[arg-type]
    flow.one_place = one_place
    flow.add([Work(key, "", [], Settings(), f"{key}.so", True) for key in range(5)])
    done: List[Done] = []
    while flow.waiting():
        done += flow.step()
    assert sorted(one.work.key for one in done) == [0, 1, 2, 3, 4]
    assert boards.most == most
