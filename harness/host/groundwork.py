"""What must lie ready before a cell is measured: a reference for every model, an engine for every build."""

from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence, Union

import msgspec
from msgspec import UNSET

from harness.host.calibration import CalibrationSet
from harness.host.engines import EngineStore
from harness.host.progress import Progress, engine_label
from harness.host.references import ReferenceStore
from harness.host.survey import REFERENCE_RUNTIME, Survey
from harness.host.tuning import logs, proof
from harness.jobs import Failure
from harness.records import TUNED, BuildOptions, Engine, Experiment, InferenceOptions, Ingredients, Reference


class Ready(NamedTuple):
    """All that a cell of one experiment needs."""

    ingredients: Ingredients
    engine: Engine
    reference: Reference


def build_engines(
    survey: Survey, experiments: Sequence[Experiment], results: Path, progress: Progress
) -> "Dict[BuildOptions, Union[Engine, Failure]]":
    """Every engine that `experiments` need, from the store or built now; one that cannot be is a Failure."""
    store = EngineStore(results)
    found: Dict[BuildOptions, Union[Engine, Failure]] = {}
    for options in dict.fromkeys(experiment.build for experiment in experiments):
        obstacle, made_of = survey.obstacle(options), survey.ingredients(options)
        name = f"engine {engine_label(options)}"
        if obstacle is not None or made_of is None:
            assert obstacle is not None, "what has no ingredients has a reason"
            found[options] = obstacle
            progress.line(f"{name}: {obstacle.status}: {obstacle.reason}")
            continue
        with store.turn(made_of):
            found[options] = _engine(survey, store, made_of, options, name, progress)
            built = found[options]
            if options.variant == TUNED and isinstance(built, Engine):
                ways = proof.ways([one.inference for one in experiments if one.build == options])
                found[options] = _proved(survey, store, built, options, ways, progress)
    return found


def _proved(
    survey: Survey,
    store: EngineStore,
    tuned: Engine,
    options: BuildOptions,
    ways: Sequence[InferenceOptions],
    progress: Progress,
) -> Union[Engine, Failure]:
    """The tuned engine, or the fallback where it is shown to be slower than what the plan calls untuned."""
    plain = msgspec.structs.replace(options, variant=UNSET)
    made_of, runtime = survey.ingredients(plain), survey.machine.backends[REFERENCE_RUNTIME]
    if made_of is None:
        obstacle = survey.obstacle(plain)
        why = obstacle.reason if obstacle is not None else "it cannot be built here"
        return Failure(status="skipped", reason=f"tuned was not held against untuned: {why}")
    untuned = _engine(survey, store, made_of, plain, f"engine {engine_label(plain)}", progress)
    if isinstance(untuned, Failure):
        return Failure(status=untuned.status, reason=f"tuned was not held against untuned: {untuned.reason}")
    if not runtime.available:
        return Failure(status="skipped", reason=f"tuned was not held against untuned: {runtime.reason}")
    reference = ReferenceStore(store.results).ensure(survey.board, survey.model(options), survey.plan.seed, runtime)
    if isinstance(reference, Failure):
        return reference
    rivals = proof.Rivals(tuned, untuned, reference)
    return proof.proved(survey.board, rivals, ways, store, survey.plan.seed, progress)


def _engine(
    survey: Survey, store: EngineStore, made_of: Ingredients, options: BuildOptions, name: str, progress: Progress
) -> Union[Engine, Failure]:
    stored = store.find(made_of)
    if stored is not None:
        progress.line(f"{name}: {stored.key} is there", detail=True)
        return stored
    if store.folder(made_of).exists():
        progress.line(f"{name}: {made_of.key()} is there, but not as its record says (cut short?): it is built again")
    with progress.step(name) as step:
        calibration = survey.calibration(options)
        images = calibration.path if isinstance(calibration, CalibrationSet) else None
        records = survey.tunings.get(options)
        trials = logs.chosen_file(records, store.results) if isinstance(records, logs.Found) else None
        answer = store.build(survey.board, made_of, survey.model(options), images, trials)
        if isinstance(answer, Failure):
            step.note(f"{answer.status}: {answer.reason}")
        else:
            step.note(f"{answer.key}, {sum(answer.files.values()) / 1e6:.1f} MB")
        return answer


def references(survey: Survey, results: Path, progress: Progress) -> "Dict[str, Union[Reference, Failure]]":
    """By `<model>-b<batch>`: from the store, or made now."""
    store = ReferenceStore(results)
    found: Dict[str, Union[Reference, Failure]] = {}
    runtime = survey.machine.backends[REFERENCE_RUNTIME]
    for (model, batch), prepared in survey.models.items():
        if not runtime.available:
            found[name_of(model, batch)] = Failure(status="skipped", reason=f"no reference: {runtime.reason}")
            continue
        with progress.step(f"reference {model}, batch {batch}"):
            found[name_of(model, batch)] = store.ensure(survey.board, prepared, survey.plan.seed, runtime)
    return found


def name_of(model: str, batch: int) -> str:
    return f"{model}-b{batch}"


def ready(
    survey: Survey,
    experiments: List[Experiment],
    references: "Dict[str, Union[Reference, Failure]]",
    results: Path,
    progress: Progress,
) -> "Dict[str, Union[Ready, Failure]]":
    """By experiment slug; the first thing that is missing decides what the experiment's cells end as."""
    engines = build_engines(survey, experiments, results, progress)
    found: Dict[str, Union[Ready, Failure]] = {}
    for experiment in experiments:
        options = experiment.build
        engine, made_of = engines[options], survey.ingredients(options)
        if isinstance(engine, Failure):
            found[experiment.slug()] = engine
            continue
        reference = references[name_of(options.model, options.batch)]
        if isinstance(reference, Failure):
            found[experiment.slug()] = reference
        elif made_of is not None:
            found[experiment.slug()] = Ready(made_of, engine, reference)
    return found
