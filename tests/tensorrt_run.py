"""A run of TensorRT cells with fixed numbers and a stored engine, as a bench on a board would have left them."""

import functools
import hashlib
import tempfile
from pathlib import Path
from typing import List, Optional

import msgspec

from harness import upgrades
from harness.host import machines, runs
from harness.host.block import Block
from harness.host.board import LocalBoard
from harness.host.engines import EngineStore
from harness.host.plan import Plan
from harness.host.runs import Model, OnBoard, Run
from harness.records import (
    BuildOptions,
    Engine,
    Experiment,
    InferenceOptions,
    Ingredients,
    LatencySamples,
    Machine,
    Result,
    SystemOptions,
    ThroughputSamples,
)
from tests.trtexec_stand_in import ENGINE

VERSION = "8.5.2.2"
ROUNDS = 3


def experiment(backend: str = "tensorrt", container: Optional[str] = None, **inference: object) -> Experiment:
    own = {"threads": 2, "max_seconds": 1.0, "io_memory": "pinned", **inference}
    return Experiment(
        build=BuildOptions(model="yolov5n", backend=backend),
        inference=InferenceOptions(**own),  # type: ignore[arg-type]
        system=SystemOptions(container=container) if container is not None else SystemOptions(),
    )


def ingredients(one: Experiment, version: str = VERSION) -> Ingredients:
    return Ingredients(build=one.build, model_sha256="ab" * 32, version=version, architecture="sm_87")


def latency(compute_ms: float, device_ms: Optional[float], count: int = 100) -> LatencySamples:
    """All alike but the last, which is a tenth slower."""
    compute = [round(compute_ms * 1e6)] * (count - 1) + [round(compute_ms * 1.1e6)]
    return LatencySamples(
        start_ns=[index * 6_000_000 for index in range(count)],
        h2d_ns=[350_000] * count,
        enqueue_ns=[240_000] * count,
        compute_ns=compute,
        d2h_ns=[150_000] * count,
        device_ns=None if device_ms is None else [round(device_ms * 1e6)] * count,
    )


def throughput(rate: float, count: int = 120) -> ThroughputSamples:
    step = round(1e9 / rate)
    starts = [index * step for index in range(count)]
    return ThroughputSamples(slots=2, start_ns=starts, end_ns=[start + step for start in starts])


def result(one: Experiment, number: int, samples: object, **more: object) -> Result:
    values = {"status": "ok", "samples": samples, "engine": ingredients(one).key(), "warmup_done": 20, **more}
    return Result(experiment=one, round=number, **values)  # type: ignore[arg-type]


def rounds(one: Experiment, device_ms: float = 4.41) -> List[Result]:
    """Device times that move by half a percent from round to round."""
    found = []
    for number in range(1, ROUNDS + 1):
        took = device_ms * (1 + (number - 2) * 0.005)
        samples = throughput(200.0 + number) if one.inference.slots == 2 else latency(took + 0.3, took)
        found.append(result(one, number, samples))
    return found


def write(results: Path, experiments: List[Experiment], cells: List[Result], version: str = VERSION) -> Path:
    """The run's folder; the engine that all share lies in the store, in the format of the stand-in for trtexec."""
    folder = results / "20261123T101500Z-yolov5n-1a2b3c"
    made_of = ingredients(experiments[0], version)
    machine = this_machine()
    run = Run(
        name=folder.name,
        created_utc="2026-11-23T10:15:00.000000+00:00",
        command="make bench",
        plan=Plan(
            title="A run",
            experiments=[Block(models=["yolov5n"], backends=["tensorrt"])],
            rounds=ROUNDS,
            max_seconds=1.0,
        ),
        plan_name="test",
        on=[
            OnBoard(
                board="local",
                experiments=experiments,
                engines={one.slug(): made_of.key() for one in experiments if one.build.backend == "tensorrt"},
                references={},
            )
        ],
        models=[Model(reference="yolov5n", sha256="ab" * 32, description="", licence="", weights="generated")],
    )
    upgrades.write(folder / "local" / "machine.json", machine)
    upgrades.write(folder / "run.json", run)
    for one in cells:
        upgrades.write(runs.result_path(folder, one.experiment, one.round), one)
    stored = store(results, made_of)
    upgrades.write(runs.engine_path(folder, "local", stored.key), stored)
    return folder


@functools.lru_cache(maxsize=1)
def this_machine() -> Machine:
    with tempfile.TemporaryDirectory() as folder:
        return machines.probe(Path(folder), [], LocalBoard(Path(folder)))


def store(results: Path, made_of: Ingredients) -> Engine:
    plan = ENGINE + ".".join(made_of.version.split(".")[:3]).encode()
    engine = Engine(
        key=made_of.key(),
        ingredients=made_of,
        variant="",
        computes=True,
        executed={"fp32": 60},
        precision_note="",
        build_seconds=60.0,
        files={"model.engine": len(plan)},
        files_sha256={"model.engine": hashlib.sha256(plan).hexdigest()},
        built_utc="2026-11-23T10:00:00+00:00",
    )
    folder = EngineStore(results).folder(made_of)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.engine").write_bytes(plan)
    upgrades.write(folder / "engine.json", engine)
    return engine


def overwrite(engine: Path, data: bytes) -> None:
    """Other bytes of the same size, which the engine's record then names: only who opens them can tell."""
    engine.write_bytes(data)
    record = upgrades.read(engine.parent / "engine.json", Engine)
    named = {engine.name: hashlib.sha256(data).hexdigest()}
    upgrades.write(engine.parent / "engine.json", msgspec.structs.replace(record, files_sha256=named))
