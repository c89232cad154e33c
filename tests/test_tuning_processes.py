"""Processes that build and measure candidates: each candidate is answered once, also one that hangs or crashes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from harness.backends import _tvm_target
from harness.backends._tvm_tuning.builders import Build, Builders
from harness.backends._tvm_tuning.child import Child
from harness.backends._tvm_tuning.local_meter import LocalMeter, Where
from harness.backends._tvm_tuning.meter import CRASHED, INVALID, MEASURED, TIMED_OUT, Answer, Settings

ARGUMENTS = [["TENSOR", "float32", [4096]]]
QUICK = Settings(repeats=3, min_repeat_s=0.001, limit_s=30.0)
PATIENCE_S = 120.0

pytestmark = pytest.mark.usefixtures("tvm")


@pytest.fixture(scope="module")
def modules(tvm: Any) -> "dict[str, str]":
    """JSON of a module that counts up, of one that never ends, and of one that ends its process."""
    from tvm.script import tirx as T

    @T.prim_func(s_tir=True)
    def sound(a: T.Buffer((4096,), "float32")):  # type: ignore[no-untyped-def]
        T.func_attr({"global_symbol": "main", "tirx.noalias": True})
        for i in range(4096):
            a[i] = a[i] + T.float32(1)

    @T.prim_func(s_tir=True)
    def endless(a: T.Buffer((4096,), "float32")):  # type: ignore[no-untyped-def]
        T.func_attr({"global_symbol": "main", "tirx.noalias": True})
        while a[0] > T.float32(-1):
            a[0] = a[0] + T.float32(1)

    @T.prim_func(s_tir=True)
    def fatal(a: T.Buffer((4096,), "float32")):  # type: ignore[no-untyped-def]
        T.func_attr({"global_symbol": "main", "tirx.noalias": True})
        a[0] = T.float32(1)
        T.evaluate(T.call_extern("int32", "abort"))

    functions = {"sound": sound, "endless": endless, "fatal": fatal}
    return {name: str(tvm.ir.save_json(tvm.IRModule({"main": one}))) for name, one in functions.items()}


@pytest.fixture(scope="module")
def builders() -> Iterator[Builders]:
    from harness.backends._tvm_tuning.candidate import spell_target

    target = _tvm_target.target(_tvm_target.cpu_name())
    made = Builders(1, spell_target(target.tvm), target.linker, limit_s=5.0)
    yield made
    made.close()


@pytest.fixture(scope="module")
def meter() -> Iterator[LocalMeter]:
    made = LocalMeter(Where("cpu", threads=1), overlaps=False)
    yield made
    made.close()


def until(found: Callable[[], List[Any]]) -> List[Any]:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        some = found()
        if some:
            return some
        time.sleep(0.02)
    raise AssertionError("nothing came")


def built(builders: Builders, number: int, module: str, path: Path) -> Build:
    until(lambda: [builders.built()] if builders.free() else builders.built() and [])
    builders.send(number, module, path)
    (one,) = until(builders.built)
    return one  # type: ignore[no-any-return]


def measured(meter: LocalMeter, number: int, library: Path, settings: Settings = QUICK) -> Answer:
    until(lambda: [True] if meter.places() else meter.answers(0.1) and [])
    meter.send(number, library, ARGUMENTS, settings)
    (one,) = until(lambda: meter.answers(0.1))
    return one  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def libraries(
    builders: Builders, modules: "dict[str, str]", tmp_path_factory: pytest.TempPathFactory
) -> "dict[str, Path]":
    folder = tmp_path_factory.mktemp("libraries")
    for number, (name, text) in enumerate(modules.items()):
        assert built(builders, number, text, folder / f"{name}.so") == Build(number, "", "")
    return {name: folder / f"{name}.so" for name in modules}


def test_a_module_that_cannot_be_built_is_invalid_and_says_why(builders: Builders, tmp_path: Path) -> None:
    one = built(builders, 7, "{}", tmp_path / "x.so")
    assert (one.number, one.outcome) == (7, INVALID)
    assert one.reason


@pytest.mark.parametrize(("sent", "outcome"), [(signal.SIGSTOP, TIMED_OUT), (signal.SIGKILL, CRASHED)])
def test_a_builder_that_hangs_or_dies_costs_its_candidate_alone(
    builders: Builders, modules: "dict[str, str]", tmp_path: Path, sent: signal.Signals, outcome: str
) -> None:
    until(lambda: [True] if builders.free() else builders.built() and [])
    before = builders._children[0]._process.pid
    os.kill(before, signal.SIGSTOP)
    builders.send(11, modules["sound"], tmp_path / "a.so")
    os.kill(before, sent)
    (one,) = until(builders.built)
    assert (one.number, one.outcome) == (11, outcome)
    assert built(builders, 12, modules["sound"], tmp_path / "b.so") == Build(12, "", "")
    assert builders._children[0]._process.pid != before


def test_a_sound_candidate_has_as_many_times_as_repeats(meter: LocalMeter, libraries: "dict[str, Path]") -> None:
    answer = measured(meter, 1, libraries["sound"])
    assert (answer.number, answer.outcome, len(answer.times_s)) == (1, MEASURED, 3)
    assert all(1e-8 < one < 1e-2 for one in answer.times_s)


def test_one_that_is_hopeless_is_called_no_more_than_it_must(meter: LocalMeter, libraries: "dict[str, Path]") -> None:
    answer = measured(meter, 2, libraries["sound"], QUICK._replace(hopeless_s=0.0))
    assert (answer.outcome, len(answer.times_s)) == (MEASURED, 1)


def test_a_poor_one_has_one_repeat(meter: LocalMeter, libraries: "dict[str, Path]") -> None:
    answer = measured(meter, 2, libraries["sound"], QUICK._replace(poor_s=0.0))
    assert (answer.outcome, len(answer.times_s)) == (MEASURED, 1)


def test_one_that_never_ends_is_ended_and_the_next_is_measured(meter: LocalMeter, libraries: "dict[str, Path]") -> None:
    answer = measured(meter, 3, libraries["endless"], QUICK._replace(limit_s=2.0))
    assert (answer.number, answer.outcome, answer.times_s) == (3, TIMED_OUT, ())
    assert measured(meter, 4, libraries["sound"]).outcome == MEASURED


def test_one_that_crashes_ends_its_process_and_the_next_is_measured(
    meter: LocalMeter, libraries: "dict[str, Path]"
) -> None:
    answer = measured(meter, 5, libraries["fatal"])
    assert (answer.number, answer.outcome) == (5, CRASHED)
    assert "signal 6" in answer.reason
    assert measured(meter, 6, libraries["sound"]).outcome == MEASURED


def test_a_file_that_is_no_library_is_invalid(meter: LocalMeter, tmp_path: Path) -> None:
    (tmp_path / "no.so").write_bytes(b"no library")
    answer = measured(meter, 8, tmp_path / "no.so")
    assert (answer.number, answer.outcome) == (8, INVALID)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl is Linux's")
def test_children_do_not_outlive_a_search_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import time; from harness.backends._tvm_tuning.child import Child\n"
        "child = Child('harness.backends._tvm_tuning.measuring', {'kind': 'cpu', 'index': 0, 'cores': []})\n"
        "print(child._process.pid, flush=True); time.sleep(60)\n"
    )
    search = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert search.stdout is not None
    with search.stdout as said:
        child = int(said.readline())
    time.sleep(0.5)
    search.kill()
    search.wait()
    until(lambda: [True] if not alive(child) else [])


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_process_that_cannot_start_says_how_it_ended() -> None:
    child = Child("harness.backends._tvm_tuning.no_such_module", {})
    with pytest.raises(EOFError, match="No module named"):
        until(child.received)
    child.end()
