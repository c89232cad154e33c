"""The smallest bench for real: one network at 64 pixels, ONNX Runtime and the floor, two rounds."""

from pathlib import Path
from typing import Dict, Tuple

import msgspec

from harness.host import runs
from harness.host.bench import Outcome, bench
from harness.host.board import LocalBoard
from harness.host.plan import Block, Plan
from harness.host.progress import Progress
from harness.host.request import Request
from harness.records import Result

ROOT = Path(__file__).resolve().parents[1]
PLAN = Plan(
    title="test",
    experiments=[Block(models=["yolov5n@64"], backends=["null", "onnxruntime"], threads=[1])],
    rounds=2,
    warmup=2,
    iterations=10,
    max_seconds=5.0,
)


def block(plan: Plan, **change: object) -> Plan:
    return msgspec.structs.replace(plan, experiments=[msgspec.structs.replace(plan.experiments[0], **change)])


def request(models_dir: Path, results: Path, plan: Plan = PLAN, **more: object) -> Request:
    return Request(plan=plan, plan_name="test", command="make bench", models_dir=models_dir, results=results, **more)  # type: ignore[arg-type]


def measured(asked: Request) -> Outcome:
    return bench(asked, [LocalBoard(asked.results / ".work")], Progress(quiet=True))


def results_of(folder: Path) -> Dict[Tuple[str, int], Result]:
    return {(result.experiment.build.backend, result.round): result for result in runs.load_one(folder).results}
