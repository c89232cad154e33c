"""Writes very many runs with plausible numbers: as nightly benchmarks of one board leave them over the years."""

import os
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import List

import msgspec
import numpy

from harness import upgrades
from harness.host import machines, runs
from harness.host.block import Block
from harness.host.board import LocalBoard
from harness.host.plan import Plan
from harness.host.runs import OnBoard, Run
from harness.host.selfbench.many import result
from harness.records import BuildOptions, Engine, Experiment, InferenceOptions, Ingredients

MODEL = "yolov5n@320"
BACKENDS = ("null", "onnxruntime", "tvm")
ROUNDS, KINDS = 5, 50
"""Sets of results that differ; runs share them by hard links, so that only their folders take room."""
KERNEL_LASTS = 180
"""Nights; then there is a border."""
START = datetime(2012, 1, 1, 3, tzinfo=timezone.utc)


def write_runs(results: Path, count: int) -> Path:
    """A folder of results below results/.work with `count` runs of three experiments in five rounds."""
    (results / ".work").mkdir(parents=True, exist_ok=True)
    parent = Path(tempfile.mkdtemp(dir=str(results / ".work"), prefix="runs-"))
    machine = machines.probe(results / ".work", list(BACKENDS), LocalBoard(results / ".work"))
    engines = [_engine(backend) for backend in BACKENDS]
    experiments = [Experiment(build=one.ingredients.build, inference=InferenceOptions(threads=1)) for one in engines]
    random = numpy.random.RandomState(1)
    for number in range(KINDS):
        _results(parent / f"kind-{number}", experiments, engines, random)
    for night in range(0, count, KERNEL_LASTS):
        one = msgspec.structs.replace(machine, kernel=f"5.{night // KERNEL_LASTS}")
        upgrades.write(parent / f"machine-{night // KERNEL_LASTS}.json", one)
    for night in range(count):
        folder, kind = parent / "results" / f"night-{night:05}", parent / f"kind-{random.randint(KINDS)}"
        run = _run(folder.name, START + timedelta(days=night), experiments, engines)
        links = {name: kind / name for name in runs.files(run)}
        links["local/machine.json"] = parent / f"machine-{night // KERNEL_LASTS}.json"
        del links["run.json"]
        for name, source in links.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(str(source), str(folder / name))
        (folder / "run.json").write_bytes(upgrades.encode(run))  # not `upgrades.write`: nothing is lost by a power cut
    return parent / "results"


def _results(
    folder: Path, experiments: List[Experiment], engines: List[Engine], random: numpy.random.RandomState
) -> None:
    for experiment, engine in zip(experiments, engines):
        upgrades.write(runs.engine_path(folder, "local", engine.key), engine)
        level = random.normal(1, 0.005)
        for number in range(1, ROUNDS + 1):
            one = result(experiment, number, random, level)
            upgrades.write(runs.result_path(folder, experiment, number), one)


def _engine(backend: str) -> Engine:
    build = BuildOptions(model=MODEL, backend=backend)
    ingredients = Ingredients(build=build, model_sha256="0" * 64, version="1", architecture="any")
    return Engine(
        key=ingredients.key(),
        ingredients=ingredients,
        variant="",
        computes=backend != "null",
        executed={},
        precision_note="",
        build_seconds=0.0,
        files={},
        built_utc="",
    )


def _run(name: str, created: datetime, experiments: List[Experiment], engines: List[Engine]) -> Run:
    keys = {experiment.slug(): engine.key for experiment, engine in zip(experiments, engines)}
    return Run(
        name=name,
        created_utc=created.isoformat(timespec="microseconds"),
        command="make selfbench ONLY=history",
        plan=Plan(title="nightly", experiments=[Block(models=[MODEL], backends=list(BACKENDS))], rounds=ROUNDS),
        plan_name="nightly",
        on=[OnBoard(board="local", experiments=experiments, engines=keys, references={})],
        models=[],
    )
