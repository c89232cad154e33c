"""A run with fixed numbers, written as a bench would write it: what reports are tested on."""

from pathlib import Path
from typing import Any, Dict, List, Optional

import msgspec

from harness import upgrades
from harness.host import runs
from harness.host.block import Block
from harness.host.plan import Plan
from harness.host.runs import Model, OnBoard, Run
from harness.records import (
    Accuracy,
    BackendFacts,
    BuildOptions,
    Engine,
    Experiment,
    InferenceOptions,
    Ingredients,
    LatencySamples,
    Machine,
    OutputAccuracy,
    Reference,
    Result,
    ThroughputSamples,
)

VARIANTS = {"tvm": "untuned, znver3"}
VERSIONS = {"null": "1", "onnxruntime": "1.19.2", "tvm": "0.27.0.post1", "tensorrt": "10.3.0", "tensorrt_rtx": "1.7.1"}
BASE_MS = {"null": 0.0003, "onnxruntime": 10.0, "tvm": 226.0, "tensorrt": 5.0, "tensorrt_rtx": 4.0}
TOLD: Dict[str, Any] = {
    "precision_source": "builder flags",
    "settings": {"workspace_mb": "1024, lowered from 2048"},
    "device_memory_bytes": 12_345_678,
    "reformats": 3,
}
"""What TensorRT's builder says of an engine."""
USUAL = ("null", "onnxruntime", "tvm")


def experiment(
    backend: str, threads: int = 2, inference: Optional[Dict[str, object]] = None, **build: object
) -> Experiment:
    options = {"model": "yolov5n@320", "backend": backend, **build}
    how = {"threads": threads, "max_seconds": 3.0, **(inference or {})}
    return Experiment(build=BuildOptions(**options), inference=InferenceOptions(**how))  # type: ignore[arg-type]


def result(one: Experiment, number: int, middle_ms: Optional[float] = None, **more: object) -> Result:
    """Samples spread evenly by 1 % around a median that moves by 1 % a round."""
    backend = one.build.backend
    middle = (middle_ms or BASE_MS[backend]) * 1e6 * (1 + number / 100)
    compute = [round(middle * (1 + (index - 50) / 5000)) for index in range(101)]
    samples = LatencySamples(
        start_ns=[index * 300_000_000 for index in range(101)],
        h2d_ns=[1000] * 101,
        enqueue_ns=[value // 2 for value in compute],
        compute_ns=compute,
        d2h_ns=[2000] * 101,
    )
    outputs = [OutputAccuracy(output="output0", max_abs=1.5e-3, relative_rms=3e-7, cosine=1.0)]
    values = {
        "status": "ok",
        "samples": samples,
        "variant": VARIANTS.get(backend, ""),
        "engine": key(one),
        "accuracy": None if backend == "null" else Accuracy(reference="r", tolerance=1e-4, outputs=outputs),
        "warmup_done": 20,
        "elapsed_s": 3.5,
        **more,
    }
    return Result(experiment=one, round=number, **values)  # type: ignore[arg-type]


def rated(one: Experiment, number: int, per_second: float, **more: object) -> Result:
    """A hundred inferences that overlap, at this rate."""
    each = 1e9 / per_second
    samples = ThroughputSamples(
        slots=2,
        start_ns=[round(max(0, index - 1) * each) for index in range(100)],
        end_ns=[round((index + 1) * each) for index in range(100)],
    )
    return msgspec.structs.replace(result(one, number, **more), samples=samples)


def ended(one: Experiment, number: int, status: str, reason: str) -> Result:
    return Result(experiment=one, round=number, status=status, reason=reason)


def ingredients(one: Experiment) -> Ingredients:
    backend = one.build.backend
    return Ingredients(build=one.build, model_sha256="ab" * 32, version=VERSIONS[backend], architecture="x86_64")


def key(one: Experiment) -> str:
    return ingredients(one).key()


def machine(*more: str) -> Machine:
    facts = {
        name: BackendFacts(
            available=True,
            version=VERSIONS[name],
            architecture="x86_64",
            precisions=["fp32"],
            builds_vary=name.startswith("tensorrt"),
        )
        for name in dict.fromkeys([*USUAL, *more])
    }
    return Machine(
        board="local",
        system="Debian GNU/Linux 12",
        kernel="6.1",
        architecture="x86_64",
        cpu_model="A Processor",
        logical_cpus=2,
        allowed_threads=2,
        memory_bytes=8_000_000_000,
        governor=None,
        boot_id="0",
        python="3.11.7",
        harness_version="0.1.0",
        harness_revision="cafe",
        backends=facts,
        timer_step_ns=40,
    )


def write(folder: Path, results: List[Result], experiments: List[Experiment], rounds: int = 5, **plan: object) -> Path:
    """The run's folder."""
    block = Block(models=["yolov5n@320"], backends=["null", "onnxruntime", "tvm"])
    run = Run(
        name=folder.name,
        created_utc="2026-11-23T10:15:00.000000+00:00",
        command="make bench PLAN=demo",
        plan=msgspec.structs.replace(Plan(title="An example", experiments=[block], rounds=rounds), **plan),
        plan_name="demo",
        on=[
            OnBoard(
                board="local",
                experiments=experiments,
                engines={one.slug(): key(one) for one in experiments},
                references={"yolov5n@320-b1": _reference()},
            )
        ],
        models=[
            Model(
                reference="yolov5n@320",
                sha256="ab" * 32,
                description="YOLOv5n with generated weights",
                licence="Apache-2.0",
                weights="generated",
            )
        ],
    )
    upgrades.write(folder / "run.json", run)
    used = [one.build.backend for one in experiments]
    upgrades.write(folder / "local" / "machine.json", machine(*used))
    built: Dict[str, Experiment] = {key(one): one for one in experiments}
    for name, one in built.items():
        engine = Engine(
            key=name,
            ingredients=ingredients(one),
            variant=VARIANTS.get(one.build.backend, ""),
            computes=one.build.backend != "null",
            executed={} if one.build.backend == "null" else {"fp32": 60},
            precision_note="",
            build_seconds=2.5,
            files={"model": 7_500_000},
            built_utc="2026-11-23T10:00:00+00:00",
            **(TOLD if one.build.backend == "tensorrt" else {}),
        )
        upgrades.write(runs.engine_path(folder, "local", name), engine)
    for one in results:
        upgrades.write(runs.result_path(folder, one.experiment, one.round), one)
    return folder


def _reference() -> Reference:
    return Reference(
        key="r",
        model_sha256="ab" * 32,
        seed=1,
        version="1.19.2",
        arrays_sha256="cd" * 32,
        inputs=["images"],
        outputs=["output0"],
    )
