"""What sensors and verdicts of the cells do to a history: states that are not compared, rounds that are not judged."""

from pathlib import Path
from typing import Any, Dict, List, Optional

import msgspec
import pytest

from harness.records import BoardState, Cause, ClockLimits, Result, Telemetry, Verdict
from tests.history.nights import TVM, measured, write
from tests.history.test_history import history, series


def limited(code: str) -> Verdict:
    return Verdict(verdict="LIMITED", causes=[Cause(code=code, weight="LIMITED", reason=f"{code}, as a test says")])


INVALID = Verdict(verdict="INVALID", causes=[Cause(code="timer", weight="INVALID", reason="two clocks disagree")])


def telemetry(locked: Optional[bool], cap_hz: int) -> Telemetry:
    clock = ClockLimits(name="gpu", min_hz=1, max_hz=cap_hz)
    state = BoardState(locked=locked, clocks=[clock], power_mode="MAXN (0)")
    return Telemetry(interval_s=0.1, sweeps=10, largest_gap_s=0.1, channels=[], before=state)


def with_fields(rows: List[Result], fields: Dict[int, Dict[str, Any]]) -> List[Result]:
    return [msgspec.structs.replace(one, **fields.get(one.round, {})) for one in rows]


def test_clocks_that_were_unlocked_or_capped_are_a_border(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    states = [(True, 1_300_500_000), (True, 1_300_500_000), (False, 1_300_500_000), (False, 918_000_000)]
    for number, (locked, cap_hz) in enumerate(states):
        told = {one: {"telemetry": telemetry(locked, cap_hz)} for one in range(1, 6)}
        write(tmp_path, number, with_fields(measured(TVM, 1.0, number), told), [TVM])
    rows = series(history(tmp_path, capsys))
    assert [one["conditions_changed"] for one in rows] == [
        [],
        [],
        ["clocks locked yes → no"],
        ["clock gpu 1300 MHz → 918 MHz"],
    ]
    assert [one["earlier_runs"] for one in rows] == [0, 1, 0, 0]


@pytest.mark.parametrize(("rounds", "border"), [(1, False), (2, False), (3, True), (5, True)])
def test_hardware_that_was_held_back_in_most_rounds_is_another_state(
    tmp_path: Path, capsys: pytest.CaptureFixture, rounds: int, border: bool
) -> None:
    write(tmp_path, 0, measured(TVM, 1.0, 0), [TVM])
    told = {one: {"hardware": limited("throttled: heat")} for one in range(1, rounds + 1)}
    write(tmp_path, 1, with_fields(measured(TVM, 1.0, 1), told), [TVM])
    row = series(history(tmp_path, capsys))[1]
    assert row["conditions_changed"] == (["hardware limited ? → throttled: heat"] if border else [])
    assert (row["ratio"] is None) is border
    assert row["notes"] == f"LIMITED in {rounds} of 5 rounds (throttled: heat)"


def test_a_round_that_is_invalid_judges_nothing_and_is_told(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for number in range(4):
        write(tmp_path, number, measured(TVM, 1.0, number), [TVM])
    slow = {one.round: one for one in measured(TVM, 2.0, 9)}
    rows = [slow[one.round] if one.round <= 2 else one for one in measured(TVM, 1.0, 4)]
    write(tmp_path, 4, with_fields(rows, {1: {"integrity": INVALID}, 2: {"integrity": INVALID}}), [TVM])
    row = series(history(tmp_path, capsys))[4]
    assert (row["rounds"], row["verdict"]) == (3, "no change shown")
    assert row["ratio"] == pytest.approx(1, abs=0.02)
    assert row["samples"] == 505, "its figures are shown, not dropped"
    assert "INVALID in 2 of 5 rounds (timer)" in row["notes"]


def test_a_run_without_a_valid_round_is_not_judged_and_nothing_is_held_against_it(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    write(tmp_path, 0, measured(TVM, 1.0, 0), [TVM])
    every = {one: {"integrity": INVALID} for one in range(1, 6)}
    write(tmp_path, 1, with_fields(measured(TVM, 3.0, 1), every), [TVM])
    write(tmp_path, 2, measured(TVM, 1.0, 2), [TVM])
    rows = series(history(tmp_path, capsys))
    assert [one["verdict"] for one in rows] == ["nothing before it", "not judged: no valid round", "no change shown"]
    assert rows[1]["median_ns"] == pytest.approx(3 * 226e6, rel=0.02)
    assert rows[2]["earlier_runs"] == 1
