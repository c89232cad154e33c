"""Measuring on several boards: one that is killed costs nothing but its time, and no candidate is answered twice."""

import collections
import socket
import time
from typing import List

import pytest

from harness.backends._tvm_tuning import fleet_board
from harness.backends._tvm_tuning.meter import CRASHED, INVALID, LOST, MEASURED, TIMED_OUT, Answer
from harness.errors import DeviceError
from harness.fleet import Fleet
from harness.host.fleet import serving
from tests.fleet.boards import SETTINGS, Ground, killed, server_of, wait_for

COUNT = 24


def test_one_of_three_boards_is_killed_in_mid_run_and_every_trial_comes_once(ground: Ground, fleet: Fleet) -> None:
    dead: List[int] = []

    def kill(answers: List[Answer]) -> None:
        if len(answers) >= 6 and not dead:
            dead.append(killed("b", ground.folder))

    with ground.meter(fleet) as meter:
        answers = ground.measured(meter, ["quick"] * COUNT, seen=kill, places=3)
        wait_for(meter, 3)
    assert server_of("b", ground.folder) not in [None, *dead], "the board is back, with another server"
    trials = collections.Counter(one.number for one in answers if one.outcome == MEASURED)
    assert trials == dict.fromkeys(range(COUNT), 1), "none lost, none twice"
    assert {one.outcome for one in answers} == {MEASURED, LOST}, "a dead board is nobody's fault"
    (lost,) = [one for one in answers if one.lost]
    assert lost.place == "b", "the candidate that the dead one had was given back, and measured after that"
    assert {one.place for one in answers if one.outcome == MEASURED} >= {"a", "c"}
    assert all(0.0018 <= time_s <= 1 for one in answers for time_s in one.times_s), "of one call, in seconds"
    assert [one for one in ground.said if one.startswith("board b: dropped: its connection broke: ")]
    assert "board b: is back, and measures again" in ground.said


def test_candidates_that_crash_hang_or_are_refused_cost_no_board(ground: Ground, fleet: Fleet) -> None:
    kinds = ["crash", "refused", "hang", "quick"]
    with ground.meter(fleet, "a") as meter:
        answers = ground.measured(meter, kinds, SETTINGS._replace(limit_s=1.0))
    assert [one.outcome for one in answers] == [CRASHED, INVALID, TIMED_OUT, MEASURED]
    assert answers[2].reason == "no time within 1 s"
    assert ground.said == [], "the board was there all the time"


def test_a_candidate_under_which_two_boards_die_is_given_up(
    ground: Ground, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_board, "BACK_S", 0.5)
    answers: List[Answer] = []
    with ground.meter(fleet, "ac") as meter:
        wait_for(meter, 2)
        for busy in "ac":
            meter.send(7, ground.libraries["hang"], [], SETTINGS._replace(limit_s=30.0))
            time.sleep(0.3)
            killed(busy, ground.folder)
            answers += meter.answers(20.0)
    assert [(one.number, one.outcome, one.place) for one in answers] == [(7, LOST, "a"), (7, CRASHED, "c")]
    assert answers[1].reason.startswith("a and c died under it: ")


def test_a_server_with_another_key_is_not_taken_for_the_board(ground: Ground, fleet: Fleet) -> None:
    other = Fleet(port=fleet.port, keys={"a": "of another job"})
    with ground.meter(other) as meter:
        while "not answered yet" in meter.missing():
            assert meter.answers(0.2) == []
        assert meter.missing() == "a: no server has this job's key"
        assert meter.places() == 0


def test_a_tracker_that_is_not_there_is_named(ground: Ground) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with ground.meter(Fleet(port=port, keys={"a": "x"})) as meter, pytest.raises(DeviceError) as caught:
        ground.measured(meter, ["quick"])
    assert "the tracker of this job does not answer: " in str(caught.value)
    assert "Every finished trial is kept" in str(caught.value)


def test_when_all_boards_have_died_the_job_ends_in_words(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "AGAIN_S", 1000.0)
    monkeypatch.setattr(fleet_board, "BACK_S", 0.5)
    with ground.fleet("d") as one, ground.meter(one) as meter:

        def kill(answers: List[Answer]) -> None:
            if len(answers) == 2 and server_of("d", ground.folder) is not None:
                meter.patience_s = 0.5
                killed("d", ground.folder)

        with pytest.raises(DeviceError) as caught:
            ground.measured(meter, ["quick"] * 5, seen=kill)
    assert str(caught.value).startswith("no board has been there to measure on for 0.5 s: d: ")
    assert "Every finished trial is kept" in str(caught.value)
