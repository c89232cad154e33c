"""What the parts stand on: one engine of a small model with its inputs, built as any bench would build it."""

from pathlib import Path
from typing import NamedTuple

from harness.errors import LaunchError
from harness.host import groundwork
from harness.host.block import Block
from harness.host.board import LocalBoard
from harness.host.engines import EngineStore
from harness.host.groundwork import Ready
from harness.host.plan import Plan
from harness.host.progress import Progress
from harness.host.references import ReferenceStore
from harness.host.survey import survey
from harness.records import Experiment, Reference


class Place(NamedTuple):
    """Where selfbench works."""

    models_dir: Path
    results: Path
    progress: Progress


class Ground(NamedTuple):
    experiment: Experiment
    ready: Ready
    engine_dir: Path
    arrays: Path
    reference: Reference


def ground(place: Place, backend: str, model: str, precision: str = "fp32") -> Ground:
    """Raises LaunchError where the backend is not there or cannot build."""
    block = Block(models=[model], backends=[backend], threads=[1], precisions=[precision])
    plan = Plan(title="selfbench", experiments=[block], warmup=20, iterations=100, max_seconds=60.0)
    found = survey(plan, LocalBoard(place.results / ".work"), place.models_dir, place.results, place.progress)
    experiments = [one for one in found.experiments if one.build.backend == backend]
    references = groundwork.references(found, place.results, place.progress)
    ready = groundwork.ready(found, experiments, references, place.results, place.progress)[experiments[0].slug()]
    if not isinstance(ready, Ready):
        raise LaunchError(f"selfbench: {backend} of {model}: {ready.status}: {ready.reason}")
    return Ground(
        experiment=experiments[0],
        ready=ready,
        engine_dir=EngineStore(place.results).folder(ready.ingredients),
        arrays=ReferenceStore(place.results).arrays(ready.reference),
        reference=ready.reference,
    )
