"""A tuning job as a worker does it, on a model of two convolutions: its log, how it goes on, and what comes of it."""

import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import msgspec
import numpy
import pytest

from harness import backends, schedules, trials, upgrades
from harness.backends import _tvm_target
from harness.backends._contract import Materials
from harness.errors import RecordError
from harness.host.options import ROOT
from harness.host.selfbench.tuning_kills import kill_often
from harness.jobs import Failure, Tuned, TuneJob
from harness.records import BuildOptions, InferenceOptions, Ingredients
from harness.records.tuning import Choice, Default, End, Header, Job, Task, Trial
from harness.schedules import LEAST_REPEATS, median
from harness.trials import LOG, Log

TRIALS, MORE = 8, 4
SHA = "0" * 64
JOBS = ("0123456789ab", "ba9876543210")

pytestmark = pytest.mark.usefixtures("tvm")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    chance = numpy.random.default_rng(1)
    weights = {"v": (16, 3, 3, 3), "w": (16, 16, 3, 3)}
    held = [numpy_helper.from_array(chance.normal(0, 0.2, shape).astype("float32"), n) for n, shape in weights.items()]
    nodes = [
        helper.make_node("Conv", ["x", "v"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["a"], ["s"]),
        helper.make_node("Mul", ["a", "s"], ["m"]),
        helper.make_node("Conv", ["m", "w"], ["y"], pads=[1, 1, 1, 1], strides=[2, 2]),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", [1, 3, 16, 16]), ("y", [1, 16, 8, 8]))
    ]
    graph = helper.make_graph(nodes, "two", ends[:1], ends[1:], held)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    made.ir_version = 8
    path = tmp_path_factory.mktemp("model") / "two.onnx"
    onnx.save(made, str(path))
    return path


def options() -> BuildOptions:
    return BuildOptions(model="two", backend="tvm", target=_tvm_target.cpu_name())


def asked(model: Path, log: Path, **more: Any) -> TuneJob:
    header = Header(model="two", model_sha256=SHA, precision="fp32", batch=1, target="here", version="1")
    own = {"trials": TRIALS, "max_seconds": 600.0, "seed": 3, "threads": 1}
    made_of = Ingredients(build=options(), model_sha256=SHA, version="1", architecture="here")
    return TuneJob(
        model=str(model),
        header=header,
        log=str(log),
        progress=str(log.parent / "progress.json"),
        stop=str(log.parent / "stop"),
        machine="this CPU",
        **{**own, "ingredients": made_of, "job": JOBS[0], "strategy": "replay-trace", "cost_model": "random", **more},
    )


def done(job: TuneJob, folder: Path) -> Any:
    """What the worker answers."""
    folder.mkdir(parents=True)
    upgrades.write(folder / "job.json", job)
    command = [sys.executable, "-m", "harness.worker", "tune", str(folder)]
    ended = subprocess.run(command, check=False, cwd=str(ROOT), stderr=subprocess.PIPE, timeout=600)
    assert ended.returncode == 0, ended.stderr.decode()
    out = folder / "out.json"
    return upgrades.read(out, Failure if b'"kind":"failure"' in out.read_bytes().replace(b" ", b"") else Tuned)


class Jobs:
    """The first job of a log, and one that went on with it."""

    def __init__(self, model: Path, folder: Path) -> None:
        self.log = folder / "log"
        self.first = done(asked(model, self.log), folder / "1")
        self.before = trials.read(self.log / LOG)
        self.second = done(asked(model, self.log, job=JOBS[1], trials=MORE), folder / "2")
        self.contents = trials.read(self.log / LOG)


@pytest.fixture(scope="module")
def jobs(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Jobs:
    return Jobs(model, tmp_path_factory.mktemp("jobs"))


def test_a_job_makes_the_trials_that_it_was_asked_for_and_says_how_it_ended(jobs: Jobs) -> None:
    assert isinstance(jobs.first, Tuned), jobs.first
    assert (jobs.first.ended, jobs.first.new_trials, jobs.first.all_trials) == ("trials", TRIALS, TRIALS)
    assert len(jobs.before.of(Trial)) == TRIALS
    assert 0 < jobs.first.measuring_share < 1
    (end,) = jobs.before.of(End)
    assert (end.trials, end.curve) == (TRIALS, jobs.first.curve)


def test_each_task_has_a_default_time_and_a_choice_in_the_log(jobs: Jobs) -> None:
    tasks = {one.task for one in jobs.before.of(Task)}
    assert len(tasks) >= 2
    assert {one.task for one in jobs.before.of(Default)} == tasks
    assert {one.task for one in jobs.before.of(Choice)} == tasks
    assert {one.task for one in jobs.first.tasks} == tasks


def test_the_estimate_falls_as_trials_are_made(jobs: Jobs) -> None:
    curve = jobs.first.curve
    assert [one.trials for one in curve] == sorted(one.trials for one in curve)
    assert curve[-1].estimated_ns < curve[0].estimated_ns


class Elsewhere:
    """A job that went on with what others had found at another number of threads, where a poor schedule had won."""

    def __init__(self, jobs: Jobs, model: Path, folder: Path) -> None:
        log, name = folder / "log", "abababababab"
        shutil.copytree(str(jobs.log), str(log))
        header = trials.read_header(log / LOG)
        assert header is not None
        self.poor = max(jobs.contents.of(Trial), key=lambda one: median(one.times_ns) or 0.0)
        self.poor_hash = schedules.trace_hash(self.poor.trace)
        won = {"default_ns": [900.0] * 3, "tuned_ns": [1.0] * 3, "kept": True, "trials": 1}
        with Log.open(log, header) as opened:
            opened.append(Choice(job=JOBS[1], task=self.poor.task, trace_sha256=self.poor_hash, **won))
        self.answer = done(asked(model, log, job=name, threads=2, trials=2), folder / "1")
        self.contents = trials.read(log / LOG)
        self.trials, self.defaults, self.choices = (
            [one for one in self.contents.of(kind) if one.job == name] for kind in (Trial, Default, Choice)
        )


@pytest.fixture(scope="module")
def elsewhere(jobs: Jobs, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    return Elsewhere(jobs, model, tmp_path_factory.mktemp("elsewhere"))


def test_default_times_with_other_threads_are_not_taken_over(elsewhere: Elsewhere, jobs: Jobs) -> None:
    assert isinstance(elsewhere.answer, Tuned), elsewhere.answer
    fresh = {one.task: median(one.times_ns) or 0.0 for one in elsewhere.defaults}
    assert set(fresh) == {one.task for one in jobs.before.of(Task)}
    weights = {one.task: one.weight for one in elsewhere.contents.of(Task)}
    by_defaults = sum(weights[task] * default for task, default in fresh.items())
    assert elsewhere.answer.curve[0].estimated_ns == pytest.approx(by_defaults, rel=1e-4), "nor schedules' times"


def test_what_other_threads_found_is_measured_first(elsewhere: Elsewhere, jobs: Jobs) -> None:
    theirs = {(one.task, one.trace) for one in jobs.contents.of(Trial)}
    assert len(elsewhere.trials) == 2
    assert {(one.task, one.trace) for one in elsewhere.trials} < theirs


def test_what_other_threads_chose_must_win_again(elsewhere: Elsewhere) -> None:
    (met,) = [one for one in elsewhere.choices if one.trace_sha256 == elsewhere.poor_hash]
    assert len(met.tuned_ns) >= LEAST_REPEATS
    assert (median(met.tuned_ns) or 0.0) > 10, "a time that was measured, not the one that had won"
    assert schedules.choices(elsewhere.contents)[elsewhere.poor.task].tuned_ns != [1.0] * 3


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("sm_87", r"what is to be tuned here is for (sm_87|a CUDA device \(sm_87\)), .*here"),
        ("nvidia/jetson-agx-xavier", "for a machine of aarch64, not for|needs aarch64-linux-gnu-g\\+\\+ on the PATH"),
    ],
)
def test_a_target_that_is_not_here_ends_the_job_at_once(model: Path, tmp_path: Path, target: str, words: str) -> None:
    if platform.machine() == "aarch64":
        pytest.skip("a Jetson's target may be here")
    build = msgspec.structs.replace(options(), target=target)
    made_of = Ingredients(build=build, model_sha256=SHA, version="1", architecture="here")
    answer = done(asked(model, tmp_path / "log", ingredients=made_of), tmp_path / "1")
    assert isinstance(answer, Failure)
    assert answer.status == "skipped"
    assert re.search(words, answer.reason), answer.reason


def test_a_second_job_goes_on_and_measures_no_schedule_twice(jobs: Jobs) -> None:
    assert isinstance(jobs.second, Tuned), jobs.second
    assert (jobs.second.new_trials, jobs.second.all_trials) == (MORE, TRIALS + MORE)
    made = [(one.task, one.trace) for one in jobs.contents.of(Trial)]
    assert len(made) == len(set(made)) == TRIALS + MORE
    assert [one.job for one in jobs.contents.of(Job)] == list(JOBS)


def test_a_second_job_takes_the_default_times_of_the_first_and_still_chooses(jobs: Jobs) -> None:
    tasks = {one.task for one in jobs.contents.of(Task)}
    assert len(jobs.contents.of(Default)) == len(tasks)
    (first, second) = ({c.task: c for c in jobs.contents.of(Choice) if c.job == job} for job in JOBS)
    assert set(first) == set(second) == tasks
    assert all(second[task].default_ns for task in tasks)


def test_the_tuned_engine_computes_what_the_untuned_one_does(model: Path, jobs: Jobs, tmp_path: Path) -> None:
    outputs: Dict[str, numpy.ndarray] = {}
    for name, log in (("untuned", None), ("tuned", all_kept(jobs, tmp_path / "log"))):
        folder = tmp_path / name
        folder.mkdir()
        backend = backends.get("tvm")
        built = backend.build(Materials(model, trials=log), options(), folder)
        assert ("graph" in built.settings) is (log is not None)
        with backend.load(folder, InferenceOptions(threads=_threads())) as runner:
            runner.set_inputs({"x": numpy.linspace(-1, 1, 768, dtype="float32").reshape(1, 3, 16, 16)})
            runner.enqueue()
            runner.synchronize()
            outputs[name] = runner.get_outputs()["y"].copy()
    assert numpy.abs(outputs["tuned"] - outputs["untuned"]).max() < 1e-5 * numpy.abs(outputs["untuned"]).max()


def all_kept(jobs: Jobs, folder: Path) -> Path:
    """The log, with a schedule kept for each task that has one: which ones a job keeps is a matter of times."""
    with trials.Log.open(folder, jobs.contents.header) as log:
        log.append(*[one for one in jobs.contents.lines if not isinstance(one, Choice)])
        for one in {trial.task: trial for trial in jobs.contents.of(Trial)}.values():
            name = schedules.trace_hash(one.trace)
            times = {"default_ns": [9.0] * 3, "tuned_ns": [1.0] * 3}
            log.append(Choice(job=one.job, task=one.task, trace_sha256=name, trials=1, kept=True, **times))
    assert schedules.chosen(trials.read(folder / LOG))
    return folder / LOG


def _threads() -> int:
    import tvm

    return int(tvm.get_global_func("runtime.NumThreads")())


def test_records_of_another_model_are_refused_and_left_alone(model: Path, jobs: Jobs, tmp_path: Path) -> None:
    before = (jobs.log / LOG).read_bytes()
    job = asked(model, jobs.log)
    other = Header(model="two", model_sha256="1" * 64, precision="fp32", batch=1, target="here", version="1")
    with pytest.raises(RecordError, match="the model's bytes"):
        trials.Log.open(Path(job.log), other)
    assert (jobs.log / LOG).read_bytes() == before


def test_a_job_that_is_told_to_stop_chooses_of_what_it_has(model: Path, tmp_path: Path) -> None:
    (tmp_path / "stop").touch()
    answer = done(asked(model, tmp_path / "log"), tmp_path / "1")
    assert isinstance(answer, Tuned), answer
    assert (answer.ended, answer.new_trials) == ("stopped", 0)
    assert not any(one.kept for one in answer.tasks)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"trials": 0}, "no trials"),
        ({"strategy": "luck"}, "no strategy 'luck'"),
        ({"cost_model": "oracle"}, "no cost model 'oracle'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    model: Path, tmp_path: Path, more: Dict[str, Any], words: str
) -> None:
    answer = done(asked(model, tmp_path / "log", **more), tmp_path / "1")
    assert isinstance(answer, Failure)
    assert words in answer.reason
    assert not (tmp_path / "log").exists()


def test_kills_at_random_moments_lose_no_time_that_was_received(model: Path, tmp_path: Path) -> None:
    kills = kill_often(asked(model, tmp_path / "log", trials=1000), tmp_path, kills=3, seed=5, most_s=4.0)
    assert kills.witnessed >= 3
    assert kills.lost == 0
