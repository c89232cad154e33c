"""Runs of one board, night after night, written as a bench would: levels, machines and rounds as a test says."""

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import msgspec
import numpy

from harness import upgrades
from harness.host.runs import Run
from harness.records import Experiment, Machine, Result
from tests import example_run
from tests.example_run import BASE_MS, experiment, result

ORT, TVM, NULL = experiment("onnxruntime"), experiment("tvm"), experiment("null")
START = datetime(2026, 1, 5, 3, tzinfo=timezone.utc)


def night(results: Path, number: int, level: float = 1.0, name: str = "", **more: Any) -> Path:
    """The run of one night: `level` times the usual time, in five rounds that differ by half a percent."""
    rows = [each for one in (ORT, TVM) for each in measured(one, level, number)]
    return write(results, number, rows, name=name, **more)


def measured(one: Experiment, level: float, seed: int, rounds: int = 5) -> List[Result]:
    spread = numpy.random.RandomState(seed).normal(1, 0.005, rounds)
    base = BASE_MS[one.build.backend] * level
    # `result` raises a round's median by 1 % a round: taken out, so that the rounds differ by chance alone.
    return [result(one, number, base * each / (1 + number / 100)) for number, each in enumerate(spread, 1)]


def write(
    results: Path,
    number: int,
    rows: Sequence[Result],
    experiments: Sequence[Experiment] = (ORT, TVM),
    name: str = "",
    machine: Optional[Dict[str, Any]] = None,
) -> Path:
    folder = example_run.write(results / (name or f"night-{number:02}"), list(rows), list(experiments))
    created = (START + timedelta(days=number)).isoformat(timespec="microseconds")
    run = upgrades.read(folder / "run.json", Run)
    upgrades.write(folder / "run.json", msgspec.structs.replace(run, created_utc=created))
    if machine:
        path = folder / "local" / "machine.json"
        upgrades.write(path, msgspec.structs.replace(upgrades.read(path, Machine), **machine))
    return folder
