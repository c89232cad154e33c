"""A run in which TVM is measured untuned and tuned, and what it keeps of the tuning: with fixed numbers."""

from pathlib import Path
from typing import List

from msgspec.structs import replace

from harness import upgrades
from harness.host import runs
from harness.host.tuning.account import Account, Part
from harness.records import Engine, Experiment
from harness.records.proof import Proof, Proofs
from harness.records.tuning import Point, Tuning
from tests.example_run import experiment, key, result, write
from tests.trial_lines import HEADER, end, job

TUNING = Tuning(records_sha256="3fa9" * 16, trials=512, seconds=600.0, seeds=[1], tasks=2, form="nhwc")
SHOWN = Proof(
    threads=2, io_memory="host", rounds=10, iterations=3, tuned_ns=4e7, untuned_ns=2e8, ratio=0.2, low=0.19, high=0.21,
    seed=1,
)  # fmt: skip
UNTUNED, BASELINE = experiment("tvm"), experiment("onnxruntime")
TUNED = experiment("tvm", variant="tuned")


def part(name: str, **more: object) -> Part:
    values = {"weight": 2, "share": 0.7, "trials": 300, "default_ns": 9e6, "tuned_ns": 1e6, "kept": True, "why": ""}
    return Part(name=name, **{**values, **more})  # type: ignore[arg-type]


def account(**more: object) -> Account:
    worse = part("matmul", share=0.3, tuned_ns=9.1e6, kept=False, why="not faster than the default schedule")
    values = {
        "engine": key(TUNED),
        "origin": "shipped with the harness, models/tuning/tiny-fp32-x86-64-v3.jsonl",
        "header": HEADER,
        "tuning": TUNING,
        "jobs": [job()],
        "ends": [end(count=512, seconds=600.0)],
        "parts": [part("conv"), worse],
        "curve": [Point(0.0, 0, 471e6), Point(300.0, 256, 80e6), Point(600.0, 512, 61.2e6)],
        "proofs": Proofs(engine=key(TUNED), untuned=key(UNTUNED), proofs=[SHOWN]),
    }
    return Account(**{**values, **more})  # type: ignore[arg-type]


def example(
    folder: Path, variant: str = "tuned, x86-64-v3, nhwc, 512 trials in 10 min, seed 1, records 3fa9", **more: object
) -> Path:
    all_: List[Experiment] = [BASELINE, UNTUNED, TUNED]
    results = [result(one, number) for one in all_[:2] for number in range(1, 6)]
    results += [result(TUNED, number, 20.0, variant=variant) for number in range(1, 6)]
    write(folder, results, all_)
    path = runs.engine_path(folder, "local", key(TUNED))
    upgrades.write(path, replace(upgrades.read(path, Engine), variant=variant))
    upgrades.write(runs.tuning_path(folder, "local", key(TUNED)), account(**more))
    return folder


def fallen_back(folder: Path) -> Path:
    """As `example`, with every sentence that the section knows of an engine with records."""
    ways = [
        SHOWN,
        replace(SHOWN, threads=1, ratio=1.0, low=0.9, high=1.1),
        replace(SHOWN, io_memory="device", ratio=1.2, low=1.1, high=1.3),
    ]
    whys = [
        "measured fewer than 3 times, which shows no spread",
        "not faster than the default schedule",
        "gains 1.5 us, not more than twice the spread of 2.25 us",
        "no trial of this task has a time",
        "its best schedules had no time when they were measured again",
        "the default schedule had no time",
        "no job has chosen for it",
    ]
    parts = [part(f"conv{number}", share=0.03, kept=not why, why=why) for number, why in enumerate([*whys, *[""] * 20])]
    return example(
        folder,
        "tuned (fallback), znver3, 512 trials in 10 min, seeds 1, 2, records 3fa9",
        tuning=replace(TUNING, seeds=[1, 2]),
        jobs=[job(), replace(job("b2", seed=2), threads=1)],
        parts=[replace(parts[0], share=None, default_ns=None), *parts[1:]],
        dropped=[
            "line 4 is damaged (its checksum differs) and is left out",
            "line 6 is damaged (a second header) and is left out",
            "its last line was torn (12 bytes) and is left out",
        ],
        proofs=Proofs(engine=key(TUNED), untuned=key(UNTUNED), proofs=ways),
    )
