"""What a plan means on this board, before anything is built or measured: machine, models, experiments, engine keys."""

from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import msgspec
from msgspec import UNSET

from harness.errors import UnfitModel
from harness.host import calibration, engines, instead, machines, matrix
from harness.host import plan as plans
from harness.host.board import Board
from harness.host.calibration import CalibrationSet
from harness.host.models.prepare import PreparedModel, prepare
from harness.host.plan import Plan
from harness.host.progress import Progress
from harness.host.tuning import logs
from harness.jobs import Failure
from harness.records import TUNED, BackendFacts, BuildOptions, Experiment, Ingredients, Machine

REFERENCE_RUNTIME = "onnxruntime"


class Survey(NamedTuple):
    plan: Plan
    board: Board
    machine: Machine
    experiments: List[Experiment]
    models: Dict[Tuple[str, int], PreparedModel]
    """By reference and batch."""
    calibrations: Dict[Tuple[str, int], Union[CalibrationSet, Failure]] = {}
    """Of the models that INT8 is built of, where the plan names images."""
    unfit: Dict[Tuple[str, int], Failure] = {}
    """Models that cannot be measured as asked, and why; there is at least one other."""
    tunings: Dict[BuildOptions, Union[logs.Found, Failure]] = {}
    """Of the engines that are to be tuned."""

    def model(self, options: BuildOptions) -> PreparedModel:
        return self.models[options.model, options.batch]

    def calibration(self, options: BuildOptions) -> Union[CalibrationSet, Failure, None]:
        """None where the engine is made without a set: it is not INT8, or the plan names no images."""
        calibrated = calibrates(options, self.machine.backends[options.backend])
        return self.calibrations.get((options.model, options.batch)) if calibrated else None

    def obstacle(self, options: BuildOptions) -> Optional[Failure]:
        """Why no engine of these options can even be tried here; None where one can."""
        facts = self.machine.backends[options.backend]
        if not facts.available:
            return Failure(status="skipped", reason=facts.reason)
        if (options.model, options.batch) in self.unfit:
            return self.unfit[options.model, options.batch]
        needed = (self.calibration(options), self.tunings.get(options))
        return next((one for one in needed if isinstance(one, Failure)), None)

    def ingredients(self, options: BuildOptions) -> Optional[Ingredients]:
        """None where there is an obstacle."""
        if self.obstacle(options) is not None:
            return None
        facts, calibration = self.machine.backends[options.backend], self.calibration(options)
        key = calibration.key if isinstance(calibration, CalibrationSet) else UNSET
        made_of = engines.ingredients(options, self.model(options), facts, self.board.container, key)
        records = self.tunings.get(options)
        if not isinstance(records, logs.Found):
            return made_of
        build = msgspec.structs.replace(options, target=records.target or options.target)
        return msgspec.structs.replace(made_of, build=build, tuning=records.tuning)


def calibrates(options: BuildOptions, facts: BackendFacts) -> bool:
    """Whether an engine of these options is fitted to data: an INT8 one, of a backend that builds such here."""
    return options.precision == "int8" and "int8" in facts.precisions and options.backend != plans.FLOOR


def experiments_on(
    plan: Plan, board: Board, results: Path, trust_known: bool = False
) -> Tuple[Machine, List[Experiment]]:
    """The board's facts, and the plan's experiments with its thread count filled in."""
    named = {name for block in plan.experiments for name in block.backends} | {REFERENCE_RUNTIME, plans.FLOOR}
    machine = machines.probe(results / ".work", sorted(instead.asked(named)), board, trust_known)
    machine, here = instead.without_unused(machine, named), instead.applied(plan, machine.backends)
    io_memory = {name: facts.io_memory for name, facts in machine.backends.items()}
    found = matrix.experiments(here, machine.allowed_threads, board.name, board.container, io_memory)
    return machine, found


def survey(
    plan: Plan, board: Board, models_dir: Path, results: Path, progress: Progress, trust_known: bool = False
) -> Survey:
    machine, experiments = experiments_on(plan, board, results, trust_known)
    for name in instead.taken(machine.backends):
        reason, other = machine.backends[name].reason, instead.INSTEAD[name]
        progress.line(f"{reason}; {other} is, which is another product: it takes its place under its own name")
    models, unfit = _models(plan, experiments, models_dir, progress)
    calibrations = _calibrations(plan, machine, experiments, models, results, progress)
    tunings = _tunings(machine, experiments, models, results, models_dir, progress)
    return Survey(plan, board, machine, experiments, models, calibrations, unfit, tunings)


def _tunings(
    machine: Machine,
    experiments: Sequence[Experiment],
    models: Dict[Tuple[str, int], PreparedModel],
    results: Path,
    models_dir: Path,
    progress: Progress,
) -> "Dict[BuildOptions, Union[logs.Found, Failure]]":
    found: Dict[BuildOptions, Union[logs.Found, Failure]] = {}
    for options in dict.fromkeys(one.build for one in experiments if one.build.variant == TUNED):
        facts, model = machine.backends[options.backend], models.get((options.model, options.batch))
        if facts.available and model is not None:
            records = found[options] = logs.find(options, model.sha256, facts, results, models_dir)
            for text in records.contents.dropped if isinstance(records, logs.Found) else ():
                progress.line(text)
    return found


def _models(
    plan: Plan, experiments: Sequence[Experiment], models_dir: Path, progress: Progress
) -> Tuple[Dict[Tuple[str, int], PreparedModel], Dict[Tuple[str, int], Failure]]:
    """Those that are ready, and those that cannot be; raises UnfitModel where that leaves nothing."""
    references = plans.models(plan)
    ready: Dict[Tuple[str, int], PreparedModel] = {}
    unfit: Dict[Tuple[str, int], Failure] = {}
    last: Optional[UnfitModel] = None
    for name, batch in dict.fromkeys((one.build.model, one.build.batch) for one in experiments):
        with progress.step(f"model {name}, batch {batch}") as step:
            try:
                ready[name, batch] = prepare(models_dir, references[name], batch, plan.shapes)
            except UnfitModel as error:
                last, unfit[name, batch] = error, Failure(status="failed", reason=str(error))
                step.note(f"failed: {error}")
    if last is not None and not ready:
        raise last
    return ready, unfit


def _calibrations(
    plan: Plan,
    machine: Machine,
    experiments: Sequence[Experiment],
    models: Dict[Tuple[str, int], PreparedModel],
    results: Path,
    progress: Progress,
) -> Dict[Tuple[str, int], Union[CalibrationSet, Failure]]:
    """A set for every model that needs one; what is wrong with its images is said here, before anything is built."""
    if plan.calibration is None:
        return {}
    builds = [one.build for one in experiments if calibrates(one.build, machine.backends[one.build.backend])]
    found: Dict[Tuple[str, int], Union[CalibrationSet, Failure]] = {}
    for model, batch in dict.fromkeys((one.model, one.batch) for one in builds if (one.model, one.batch) in models):
        with progress.step(f"images for INT8 of {model}, batch {batch}") as step:
            made = calibration.prepare(Path(plan.calibration), models[model, batch], results)
            step.note(made.reason if isinstance(made, Failure) else f"{made.key}, {made.images} images")
            found[model, batch] = made
    if not builds:
        progress.line("CALIBRATION is not used: nothing in this plan is built as int8 on this board")
    return found
