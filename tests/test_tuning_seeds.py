"""What a job takes over from a log that other machines, and jobs at other thread counts, wrote as well."""

from pathlib import Path
from typing import Any, List

import msgspec
import pytest

from harness import trials
from harness.backends._tvm_tuning.seeds import SEEDS, Earlier, earlier
from harness.records.tuning import NOWHERE, Default, Job, Line, stand
from tests.trial_lines import choice, end, job, log, task, trial

GPU = "NVIDIA H100 80GB HBM3, compute capability 9.0, driver for CUDA "


def of(name: str, machine: str, threads: int, day: int = 1) -> Job:
    return msgspec.structs.replace(job(name, f"2026-01-0{day}T00:00:00+00:00"), machine=machine, threads=threads)


def found(tmp_path: Path, mine: Job, *lines: Line) -> Earlier:
    return earlier(trials.read(log(tmp_path, *lines)), mine)


def traces(known: List[Any]) -> List[str]:
    return [one.trace for one in known]


def test_a_cpus_stand_is_its_words_and_threads_a_gpus_its_name() -> None:
    assert stand("AMD EPYC", 2) != stand("AMD EPYC", 4)
    assert stand("AMD EPYC", 2) != stand("Cortex-A78AE", 2)
    assert stand(f"{GPU}12.4", 1) == stand(f"{GPU}13.0", 16)
    assert stand(f"{GPU}12.4", 1) != stand("Orin, compute capability 8.7, driver for CUDA 12.4", 1)
    assert NOWHERE not in (stand("AMD EPYC", 2), stand(f"{GPU}12.4", 1))


def test_only_times_of_this_stand_are_known(tmp_path: Path) -> None:
    mine, there, lost = of("c3", "this CPU", 2), of("b2", "this CPU", 4), "d4"
    result = found(
        tmp_path,
        mine,
        of("a1", "this CPU", 2),
        there,
        task("t1"),
        Default(job="a1", task="t1", times_ns=[90.0]),
        Default(job="b2", task="t1", times_ns=[10.0]),
        trial("t1", "x", 50.0),
        trial("t1", "x", 40.0),
        trial("t1", "y", 5.0, job="b2"),
        trial("t1", "x", 1.0, job="b2"),
        trial("t1", "z", 6.0, job=lost),
    )
    assert [(one.trace, one.times_s) for one in result.known["t1"].values()] == [("x", [pytest.approx(40e-9)])]
    assert result.defaults_s == {"t1": [pytest.approx(90e-9)]}
    assert sorted(traces(result.seeds["t1"])) == ["y", "z"], "what was measured here is no seed"


def test_seeds_are_what_stands_then_the_fastest_of_each_stand_in_turn(tmp_path: Path) -> None:
    lines: List[Line] = [of("a1", "slow CPU", 2), of("b2", "fast CPU", 2), task("t1"), task("t2")]
    lines += [trial("t1", f"s{ms}", ms, job="a1") for ms in (900.0, 700.0, 800.0)]
    lines += [trial("t1", f"f{ms}", ms, job="b2") for ms in (3.0, 1.0, 2.0)]
    mine = of("c3", "this CPU", 2)
    assert SEEDS == 4
    assert traces(found(tmp_path / "1", mine, *lines).seeds["t1"]) == ["f1.0", "s700.0", "f2.0", "s800.0"]
    chosen = found(tmp_path / "2", mine, *lines, choice("t1", "s900.0", 10.0, 5.0), end("a1"))
    assert traces(chosen.seeds["t1"]) == ["s900.0", "f1.0", "s700.0", "f2.0"]
    assert chosen.standing["t1"].trace == "s900.0"
    assert "t2" not in chosen.seeds


def test_a_log_of_this_stand_alone_has_no_seeds(tmp_path: Path) -> None:
    lines = [of("a1", f"{GPU}12.4", 1), task("t1"), trial("t1", "x", 5.0), choice("t1", "x", 10.0, 5.0), end("a1")]
    result = found(tmp_path, of("b2", f"{GPU}13.0", 16), *lines)
    assert (result.seeds, traces(list(result.known["t1"].values()))) == ({}, ["x"])
    assert result.standing["t1"].trace == "x"
