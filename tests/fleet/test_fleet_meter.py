"""Measuring on several boards: one that is killed costs nothing but its time, and no candidate is answered twice."""

import collections
import os
import signal
import socket
import time
from typing import List

import pytest

from harness.backends._tvm_tuning.meter import CRASHED, INVALID, LOST, MEASURED, TIMED_OUT, Answer
from harness.errors import DeviceError
from harness.host.fleet import serving
from harness.jobs import Fleet
from tests.fleet.boards import SETTINGS, Ground, server_of, wait_for

COUNT = 24


def test_one_of_three_boards_is_killed_in_mid_run_and_every_trial_comes_once(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "AGAIN_S", 0.3)
    killed: List[int] = []

    def kill(answers: List[Answer]) -> None:
        if len(answers) >= 6 and not killed:
            pid = server_of("b", ground.folder)
            assert pid is not None
            killed.append(pid)
            os.kill(pid, signal.SIGKILL)

    with ground.fleet("a", "b", "c") as fleet, ground.meter(fleet) as meter:
        answers = ground.measured(meter, ["quick"] * COUNT, seen=kill, places=3)
        wait_for(meter, 3)
        pid = server_of("b", ground.folder)
        assert pid is not None, "the board is back"
        assert pid not in killed, "with another server"
    assert killed
    trials = collections.Counter(one.number for one in answers if one.outcome == MEASURED)
    assert trials == dict.fromkeys(range(COUNT), 1), "none lost, none twice"
    assert {one.outcome for one in answers} == {MEASURED, LOST}, "a dead board is nobody's fault"
    (lost,) = [one for one in answers if one.lost]
    assert lost.place == "b", "the candidate that the dead one had was given back, and measured after that"
    places = {one.place for one in answers if one.outcome == MEASURED}
    assert places >= {"a", "c"}
    assert all(0.0018 <= time_s <= 1 for one in answers for time_s in one.times_s), "of one call, in seconds"
    assert [one for one in ground.said if one.startswith("board b: dropped: ")]
    assert "board b: is back, and measures again" in ground.said
    assert all(server_of(name, ground.folder) is None for name in "abc"), "servers end with the job"


def test_candidates_that_crash_hang_or_raise_cost_no_board(ground: Ground) -> None:
    kinds = ["crash", "raise", "hang", "quick"]
    with ground.fleet("a") as fleet, ground.meter(fleet) as meter:
        answers = ground.measured(meter, kinds, SETTINGS._replace(limit_s=1.0))
    assert [one.outcome for one in answers] == [CRASHED, INVALID, TIMED_OUT, MEASURED]
    assert "no time within 1 s" in answers[2].reason
    assert ground.said == [], "the board was there all the time"


def test_a_candidate_under_which_two_boards_die_is_given_up(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "AGAIN_S", 0.3)
    answers: List[Answer] = []
    with ground.fleet("a", "b") as fleet, ground.meter(fleet) as meter:
        wait_for(meter, 2)
        while not answers or answers[-1].lost:
            meter.send(7, ground.libraries["hang"], [], SETTINGS._replace(limit_s=30.0))
            busy = "a" if not answers else "b"
            time.sleep(0.3)
            pid = server_of(busy, ground.folder)
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            answers += meter.answers(30.0)
    assert [(one.number, one.outcome) for one in answers] == [(7, LOST), (7, CRASHED)]
    assert "2 boards died under it" in answers[1].reason


def test_without_any_board_the_job_ends_in_words_and_a_tracker_that_is_not_there_is_named(ground: Ground) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with ground.meter(Fleet(port=port, keys={"a": "x"})) as meter, pytest.raises(DeviceError) as caught:
        ground.measured(meter, ["quick"])
    assert "the tracker of this job does not answer: " in str(caught.value)
    assert "Every finished trial is kept" in str(caught.value)


def test_a_server_with_another_key_is_not_taken_for_the_board(ground: Ground) -> None:
    with ground.fleet("a") as fleet:
        with ground.meter(fleet) as meter:
            wait_for(meter, 1)
        other = Fleet(port=fleet.port, keys={"a": "of another job"})
        with ground.meter(other, patience_s=6.0) as meter, pytest.raises(DeviceError) as caught:
            ground.measured(meter, ["quick"])
    assert "a: no server has this job's key" in str(caught.value)


def test_all_boards_die_and_none_comes_back(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "AGAIN_S", 1000.0)

    def kill(answers: List[Answer]) -> None:
        pid = server_of("a", ground.folder)
        if len(answers) == 2 and pid is not None:
            os.kill(pid, signal.SIGKILL)

    with ground.fleet("a") as fleet, ground.meter(fleet, patience_s=1.0) as meter, pytest.raises(DeviceError) as caught:
        ground.measured(meter, ["quick"] * 5, seen=kill)
    assert str(caught.value).startswith("no board has been there to measure on for 1 s: a: ")
