"""Which schedules a trial log leads to, whatever the order of its lines and however many jobs wrote it."""

import random
from pathlib import Path
from typing import List

import msgspec
import pytest

from harness import schedules, trials
from harness.records.tuning import Default, Line, Trial
from tests.trial_lines import LINES, choice, end, job, log, task, trial


def test_the_choice_does_not_depend_on_the_order_of_lines(tmp_path: Path) -> None:
    lines: List[Line] = [
        job("a1", "2026-01-01T00:00:00+00:00", seed=1),
        job("b2", "2026-01-02T00:00:00+00:00", seed=7),
        task("t1"),
        task("t2"),
        *(trial(name, trace, took) for name in ("t1", "t2") for trace in "xyz" for took in (5.0, 5.5)),
        choice("t1", "x", 10.0, 8.0),
        choice("t1", "y", 10.0, 6.0, job="b2"),
        choice("t1", "z", 10.0, 1.0, kept=False),
        choice("t2", "x", 10.0, 5.0),
        choice("t2", "x", 10.0, 9.9, kept=False, job="b2"),  # the newer measurement of the same schedule counts
        end("a1", 3, 60.0),
    ]
    found_tunings = []
    for seed in range(8):
        random.Random(seed).shuffle(lines)
        contents = trials.read(log(tmp_path / str(seed), *lines))
        found = schedules.chosen(contents)
        assert [(one.task.task, one.trial.trace, one.tuned_ns) for one in found] == [("t1", "y", 6.0)]
        found_tunings.append(schedules.tuning(contents))
        small = schedules.compact(contents)
        assert schedules.tuning(small).records_sha256 == schedules.records_sha256(contents)
        assert small.of(Trial) == [one.trial for one in found], "each once, however often it was measured"
    assert all(one == found_tunings[0] for one in found_tunings)
    assert found_tunings[0].seeds == [1, 7]
    other = trials.read(log(tmp_path / "other", *lines, choice("t2", "y", 10.0, 2.0)))
    assert schedules.records_sha256(other) != found_tunings[0].records_sha256


def test_trials_and_time_of_all_jobs_are_counted(tmp_path: Path) -> None:
    killed = trial("t1", "k", 5.0, job="b2", seconds=12.5)
    path = log(tmp_path, *LINES, end("a1", 40, 60.0), job("b2"), killed)
    found = schedules.tuning(trials.read(path))
    assert (found.trials, found.seconds) == (41, 72.5)
    assert found.words().startswith("41 trials in 72 s, seed 1, records ")
    assert (
        msgspec.structs.replace(found, seconds=600, seeds=[1, 2]).words().startswith("41 trials in 10 min, seeds 1, 2")
    )


def test_schedules_of_another_form_of_the_graph_are_left_alone(tmp_path: Path) -> None:
    plain, newer = job("a1"), job("b2", "2026-01-02T00:00:00+00:00", form="nhwc")
    lines = [plain, newer, task("t1"), task("t2"), trial("t1", "x", 1.0), trial("t2", "y", 1.0, job="b2")]
    lines += [choice("t1", "x", 9.0, 1.0), choice("t2", "y", 9.0, 1.0, job="b2"), end("a1"), end("b2")]
    contents = trials.read(log(tmp_path, *lines))
    assert [one.task.task for one in schedules.chosen(contents)] == ["t2"]
    assert schedules.tuning(contents).words().startswith("nhwc, 6 trials in 2 min")


def test_a_job_that_was_killed_leaves_its_trials_to_choose_from(tmp_path: Path) -> None:
    lines = [job(), task("t1"), Default(job="a1", task="t1", times_ns=[100.0, 101.0, 102.0])]
    path = log(tmp_path, *lines, trial("t1", "x", 60.0, 61.0, 60.5), trial("t1", "y", 99.0, 99.5, 98.9))
    assert [one.trial.trace for one in schedules.chosen(trials.read(path))] == ["x"]


def test_a_killed_jobs_trials_are_held_against_a_default_of_their_own_machine(tmp_path: Path) -> None:
    """Faster than another machine's default says nothing; the order of the two jobs is one of chance."""
    lines: List[Line] = [task("t1")]
    for name, machine, default in (("a1", "fast", 50.0), ("b2", "slow", 900.0)):
        lines.append(msgspec.structs.replace(job(name), machine=machine))
        lines.append(Default(job=name, task="t1", times_ns=[default, default + 1, default + 2]))
    lines.append(trial("t1", "x", 60.0, 61.0, 60.5))
    contents = trials.read(log(tmp_path, *lines))
    assert schedules.chosen(contents) == []
    assert schedules.choices(contents)["t1"].why == "not faster than the default schedule"
    slow = trial("t1", "y", 400.0, 401.0, 402.0, job="b2")
    assert [one.trial.trace for one in schedules.chosen(trials.read(log(tmp_path / "2", *lines, slow)))] == ["y"]


@pytest.mark.parametrize(
    ("default", "tuned", "why"),
    [
        ([100, 101, 102], [90, 90.1, 90.2], ""),
        ([100, 101, 102], [99, 99.1, 99.2], "not more than twice the spread"),
        ([100, 101, 102], [120, 121, 122], "not faster"),
        ([100, 101], [50, 51, 52], "fewer than 3 times"),
        ([100, 101, 102, 700, 900], [90, 90.1, 90.2, 95, 300], ""),
        ([100, 101, 500, 700, 900], [90, 90.1, 90.2, 95, 300], "not more than twice the spread"),
        ([100, 101, 102], [40, 80, 120], "not more than twice the spread"),
    ],
)
def test_a_schedule_is_kept_only_for_a_gain_above_the_spread(default: list, tuned: list, why: str) -> None:
    found = schedules.why_not(default, tuned)
    assert (why in found) if why else (found == "")
