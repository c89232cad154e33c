"""The local launcher with real processes: answers, failures, signals, time limits, orphans, and what memory did."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import onnx
import pytest

from harness.host.board import LocalBoard
from harness.host.launch import memory_kills
from harness.host.launch.ask import ask, ask_with
from harness.host.launch.exit import Exit
from harness.host.launch.local import ROOT, LocalLauncher
from harness.jobs import BuildJob, Failure, ProbeJob, ReferenceJob
from harness.records import BuildOptions, Engine, Ingredients, Machine, Reference
from tests.processes import comes_about, gone

PROBE = ProbeJob(backends=["null"])


def build_job(tmp_path: Path, model: Path, backend: str = "onnxruntime", precision: str = "fp32") -> BuildJob:
    options = BuildOptions(model="tiny", backend=backend, precision=precision)
    (tmp_path / "engine").mkdir(exist_ok=True)
    made_of = Ingredients(build=options, model_sha256="0" * 64, version="1", architecture="x")
    return BuildJob(ingredients=made_of, model=str(model), engine_dir=str(tmp_path / "engine"))


def test_a_worker_answers_and_its_folder_goes(tmp_path: Path) -> None:
    machine, _ = ask(LocalBoard(tmp_path / "work"), "probe", PROBE, Machine, 60)
    assert isinstance(machine, Machine)
    assert machine.backends["null"].available
    assert machine.allowed_threads >= 1
    assert list((tmp_path / "work").iterdir()) == []


def test_what_a_user_can_act_on_is_a_failure(tmp_path: Path, tiny_model: Path) -> None:
    answer, _ = ask(
        LocalBoard(tmp_path / "work"), "build", build_job(tmp_path, tiny_model, precision="int8"), Engine, 60
    )
    assert answer == Failure(status="skipped", reason="onnxruntime builds fp16, fp32 here, not int8")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    answer, _ = ask(LocalBoard(tmp_path / "work"), "build", build_job(tmp_path, broken), Engine, 60)
    assert isinstance(answer, Failure)
    assert answer.status == "failed"
    assert "broken.onnx" in answer.reason
    assert str(tmp_path) not in answer.reason, "reasons get published"


def test_a_home_that_is_the_root_is_not_taken_out_of_every_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/")
    job = ReferenceJob(key="k", model="m", model_sha256="x", seed=0, ranges={}, arrays="/proc/none")
    with LocalLauncher(tmp_path / "work") as launcher:
        ended = launcher.run("probe", job, 60)  # the wrong record for this verb: a traceback
    assert "/harness/" in ended.log
    assert "~harness" not in ended.log


def test_a_bug_is_a_crash_with_its_last_line_and_no_path_of_this_machine(tmp_path: Path) -> None:
    job = ReferenceJob(
        key="k", model=str(tmp_path / "none.onnx"), model_sha256="x", seed=0, ranges={}, arrays="/proc/none"
    )
    answer, log = ask(LocalBoard(tmp_path / "work"), "probe", job, Reference, 60)  # the wrong record for this verb
    assert isinstance(answer, Failure)
    assert answer.status == "crashed"
    assert "ended with status 1" in answer.reason
    assert "RecordError" in answer.reason
    assert str(ROOT) not in log
    assert str(Path.home()) not in log


def stop_when_started(launcher: LocalLauncher, number: int) -> threading.Thread:
    """Sends a signal to the launcher's worker as soon as there is one."""

    def wait_and_send() -> None:
        while launcher.pid is None:
            time.sleep(0.01)
        os.kill(launcher.pid, number)

    thread = threading.Thread(target=wait_and_send)
    thread.start()
    return thread


def test_a_killed_worker_is_a_crash_by_signal_and_not_called_out_of_memory(tmp_path: Path) -> None:
    with LocalLauncher(tmp_path) as launcher:
        thread = stop_when_started(launcher, signal.SIGKILL)
        answer, _ = ask_with(launcher, "probe", PROBE, Machine, 60)
        thread.join()
    assert isinstance(answer, Failure)
    assert answer.status == "crashed"
    assert answer.reason.startswith("ended by signal 9 (SIGKILL)")
    assert "memory" not in answer.reason


def test_what_a_worker_started_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A builder's linker, say, that outlives a crash would run beside the next cell."""
    starter, note = tmp_path / "starter", tmp_path / "child"
    starter.write_text(
        f"""#!{sys.executable}
import os, pathlib, subprocess, sys
pathlib.Path({str(note)!r}).write_text(str(subprocess.Popen(["sleep", "60"]).pid))
os.execv({sys.executable!r}, [{sys.executable!r}, *sys.argv[1:]])
"""
    )
    starter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(starter))
    answer, _ = ask(LocalBoard(tmp_path / "work"), "probe", PROBE, Machine, 60)
    assert isinstance(answer, Machine), "its own end is not disturbed"
    assert comes_about(lambda: gone(int(note.read_text()))), "what the worker had started outlived it"


def test_a_hanging_worker_is_ended_at_its_limit(tmp_path: Path) -> None:
    with LocalLauncher(tmp_path) as launcher:
        thread = stop_when_started(launcher, signal.SIGSTOP)
        start = time.monotonic()
        answer, _ = ask_with(launcher, "probe", PROBE, Machine, 1.0)
        thread.join()
        assert time.monotonic() - start < 30
        assert isinstance(answer, Failure)
        assert answer.status == "crashed"
        assert answer.reason.startswith("no answer within the time limit of 1 s")
        assert launcher.pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(launcher.pid, 0)


@pytest.mark.parametrize("when", ["before", "while"])
def test_a_worker_is_ended_by_another_thread_than_that_which_waits_for_it(tmp_path: Path, when: str) -> None:
    with LocalLauncher(tmp_path) as launcher:
        thread = stop_when_started(launcher, signal.SIGSTOP) if when == "while" else None
        if thread is None:
            launcher.stop()
        else:
            threading.Timer(0.5, launcher.stop).start()
        ended = launcher.run("probe", PROBE, 60.0)
        if thread is not None:
            thread.join()
        assert (ended.code, ended.timed_out) == (-signal.SIGKILL, False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_worker_is_born_ends_that_worker_too(tmp_path: Path, number: int) -> None:
    """The process is there before `Popen` returns it: what is raised in between must not lose it."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    def strike(_frame: object, event: str, function: object) -> None:
        if event == "c_return" and getattr(function, "__name__", "") == "fork_exec":
            os.kill(os.getpid(), number)

    before = signal.signal(number, stop)
    try:
        with LocalLauncher(tmp_path / "work") as launcher:
            sys.setprofile(strike)
            try:
                with pytest.raises(KeyboardInterrupt):
                    launcher.run("probe", PROBE, 60)
            finally:
                sys.setprofile(None)
            assert launcher.pid is not None, "nobody knows the worker"
            with pytest.raises(ProcessLookupError):
                os.kill(launcher.pid, 0)
        assert signal.getsignal(number) is stop
    finally:
        signal.signal(number, before)
    assert list((tmp_path / "work").iterdir()) == []


def test_a_worker_does_not_outlive_a_host_that_is_killed(tmp_path: Path) -> None:
    program = textwrap.dedent(
        f"""
        import threading, time
        from pathlib import Path
        from harness.host.launch.local import LocalLauncher
        from harness.jobs import ProbeJob
        launcher = LocalLauncher(Path({str(tmp_path)!r}))
        def tell():
            while launcher.pid is None:
                time.sleep(0.01)
            time.sleep(0.3)
            print(launcher.pid, flush=True)
        threading.Thread(target=tell).start()
        launcher.run("probe", ProbeJob(backends=["onnxruntime"] * 100_000), 60)  # minutes of work
        """
    )
    host = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert host.stdout is not None
    worker = int(host.stdout.readline())
    os.kill(worker, 0)  # it is alive
    host.kill()
    host.wait()
    host.stdout.close()
    assert comes_about(lambda: gone(worker)), f"worker {worker} outlived its host"


@pytest.mark.parametrize(
    ("code", "words"),
    [(-11, "signal 11 (SIGSEGV)"), (137, "status 137 (SIGKILL)"), (1, "status 1"), (250, "status 250 (unknown)")],
)
def test_an_exit_in_words(code: int, words: str) -> None:
    reason = Exit(code, False, 60, "", "first\nlast words\n\n").reason()
    assert words in reason
    assert reason.endswith("last line: last words")
    assert "memory" not in reason


def tree(root: Path, cgroup: int, system: int, version: int = 2) -> None:
    (root / "proc/self").mkdir(parents=True, exist_ok=True)
    (root / "proc/vmstat").write_text(f"nr_free_pages 12\noom_kill {system}\n")
    if version == 2:
        (root / "proc/self/cgroup").write_text("0::/job\n")
        folder, name = root / "sys/fs/cgroup/job", "memory.events"
    else:
        (root / "proc/self/cgroup").write_text("7:memory:/job\n3:cpu,cpuacct:/job\n")
        folder, name = root / "sys/fs/cgroup/memory/job", "memory.oom_control"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"oom 3\noom_kill {cgroup}\n")


@pytest.mark.parametrize("version", [1, 2])
def test_out_of_memory_takes_the_kernels_word(tmp_path: Path, version: int) -> None:
    tree(tmp_path, 1, 5, version)
    before = memory_kills.count(tmp_path)
    assert memory_kills.said_since(before, tmp_path) == ""
    tree(tmp_path, 2, 6, version)
    assert "this process's cgroup" in memory_kills.said_since(before, tmp_path)
    tree(tmp_path, 1, 6, version)
    assert "the whole system" in memory_kills.said_since(before, tmp_path)


def test_no_counter_says_nothing(tmp_path: Path) -> None:
    assert memory_kills.said_since(memory_kills.count(tmp_path), tmp_path) == ""


@pytest.mark.skipif(not Path("/proc/self/oom_score_adj").exists(), reason="Linux only")
def test_the_worker_is_the_first_victim() -> None:
    program = (
        "from harness.worker.__main__ import be_the_first_victim\n"
        "be_the_first_victim()\n"
        "print(open('/proc/self/oom_score_adj').read().strip())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=str(ROOT), capture_output=True, check=True)
    assert done.stdout.strip() == b"1000"


def test_a_runtimes_own_words_are_believed_of_a_local_worker(tmp_path: Path) -> None:
    """The kernel ended nobody here: an exbibyte of inputs is refused at once."""
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1 << 28, 1 << 29])
    out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1 << 28, 1 << 29])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "huge", [value], [out])
    opset = [onnx.helper.make_opsetid("", 12)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=7), str(tmp_path / "huge.onnx"))
    job = ReferenceJob(
        key="k", model=str(tmp_path / "huge.onnx"), model_sha256="x", seed=1, ranges={}, arrays=str(tmp_path / "a.npz")
    )
    answer, _ = ask(LocalBoard(tmp_path / "work"), "reference", job, Reference, 60)
    assert isinstance(answer, Failure)
    assert answer.reason.startswith("ended with status 1; out of memory, said by the runtime: numpy.")
    assert "MemoryError; last line: numpy." in answer.reason
