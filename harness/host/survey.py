"""What a plan means on this board, before anything is built or measured: machine, models, experiments, engine keys."""

from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

from harness.host import engines, machines, matrix
from harness.host import plan as plans
from harness.host.board import Board
from harness.host.models.prepare import PreparedModel, prepare
from harness.host.plan import Plan
from harness.host.progress import Progress
from harness.records import BuildOptions, Experiment, Ingredients, Machine

REFERENCE_RUNTIME = "onnxruntime"


class Survey(NamedTuple):
    plan: Plan
    board: Board
    machine: Machine
    experiments: List[Experiment]
    models: Dict[Tuple[str, int], PreparedModel]
    """By reference and batch."""

    def model(self, options: BuildOptions) -> PreparedModel:
        return self.models[options.model, options.batch]

    def ingredients(self, options: BuildOptions) -> Optional[Ingredients]:
        """None where the backend is not available here."""
        facts = self.machine.backends[options.backend]
        if not facts.available:
            return None
        return engines.ingredients(options, self.model(options), facts, self.board.container)


def experiments_on(
    plan: Plan, board: Board, results: Path, trust_known: bool = False
) -> Tuple[Machine, List[Experiment]]:
    """The board's facts, and the plan's experiments with its thread count filled in."""
    asked = {name for block in plan.experiments for name in block.backends} | {REFERENCE_RUNTIME, plans.FLOOR}
    machine = machines.probe(results / ".work", sorted(asked), board, trust_known)
    io_memory = {name: facts.io_memory for name, facts in machine.backends.items()}
    found = matrix.experiments(plan, machine.allowed_threads, board.name, board.container, io_memory)
    return machine, found


def survey(
    plan: Plan, board: Board, models_dir: Path, results: Path, progress: Progress, trust_known: bool = False
) -> Survey:
    machine, experiments = experiments_on(plan, board, results, trust_known)
    references = plans.models(plan)
    models = {}
    for experiment in experiments:
        name, batch = wanted = (experiment.build.model, experiment.build.batch)
        if wanted not in models:
            with progress.step(f"model {name}, batch {batch}"):
                models[wanted] = prepare(models_dir, references[name], batch, plan.shapes)
    return Survey(plan, board, machine, experiments, models)
