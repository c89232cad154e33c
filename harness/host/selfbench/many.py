"""Writes a run of very many results with plausible numbers, for what must stay quick with them."""

import tempfile
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
from harness.host.selfbench.ground import Ground
from harness.records import Experiment, LatencySamples, Result

EXPERIMENTS = 20
ITERATIONS = 100


def write_many(results: Path, stand: Ground, files: int) -> Path:
    """The folder of a run of 20 experiments and as many rounds as make `files`; it lies under results/.work."""
    parent = Path(tempfile.mkdtemp(dir=str(results / ".work"), prefix="many-"))
    folder, rounds = parent / "many", files // EXPERIMENTS
    experiments = [_experiment(stand.experiment, threads) for threads in range(1, EXPERIMENTS + 1)]
    plan = Plan(title="many", experiments=[Block(models=["yolov5n@32"], backends=["onnxruntime"])], rounds=rounds)
    run = Run(
        name=folder.name,
        created_utc="2026-01-01T00:00:00.000000+00:00",
        command="make selfbench ONLY=report",
        plan=plan,
        plan_name="many",
        on=[OnBoard(board="local", experiments=experiments, engines={}, references={})],
        models=[],
    )
    machine = machines.probe(results / ".work", ["null"], LocalBoard(results / ".work"))
    upgrades.write(folder / "local" / "machine.json", machine)
    upgrades.write(folder / "run.json", run)
    random = numpy.random.RandomState(1)
    for experiment in experiments:
        for number in range(1, rounds + 1):
            upgrades.write(runs.result_path(folder, experiment, number), result(experiment, number, random))
    return folder


def _experiment(like: Experiment, threads: int) -> Experiment:
    build = msgspec.structs.replace(like.build, backend="onnxruntime")
    return msgspec.structs.replace(
        like, build=build, inference=msgspec.structs.replace(like.inference, threads=threads)
    )


def result(experiment: Experiment, number: int, random: numpy.random.RandomState, level: float = 1.0) -> Result:
    compute = (level * random.lognormal(16, 0.1, ITERATIONS)).astype(int)
    steady: List[int] = [1000] * ITERATIONS
    samples = LatencySamples(
        start_ns=numpy.concatenate([[0], numpy.cumsum(compute[:-1] + 2000)]).tolist(),
        h2d_ns=steady,
        enqueue_ns=steady,
        compute_ns=compute.tolist(),
        d2h_ns=steady,
    )
    return Result(experiment=experiment, round=number, status="ok", samples=samples, warmup_done=20)
