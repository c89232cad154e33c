"""`make tune` as a story: survey the plan, then one job for each model, precision and target that can be tuned."""

import contextlib
import functools
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

import msgspec
from msgspec import UNSET

from harness import backends
from harness.errors import PlanError
from harness.fleet import Fleet
from harness.host import lock, runs
from harness.host.block import UNTUNED
from harness.host.board import Board, LocalBoard
from harness.host.fleet.boards import agreed, served
from harness.host.machines import probe
from harness.host.plan import Plan
from harness.host.progress import Progress, engine_label
from harness.host.request import Request
from harness.host.survey import Survey, survey
from harness.host.tuning import logs
from harness.host.tuning.effort import Effort
from harness.host.tuning.job import Work, measures, tune
from harness.host.tuning.watching import Stop, interruptible
from harness.jobs import Failure, Tuned
from harness.records import TUNED, BuildOptions, Experiment, InferenceOptions, Machine

FLEET_GRACE_S = 3600.0


class Ended(NamedTuple):
    """One job."""

    name: str
    answer: Union[Tuned, Failure, None]
    """None where there were enough trials already."""
    folder: Optional[Path]
    """Of the log; None where there was no job."""


class Others(NamedTuple):
    """Boards that measure what this machine compiles; none where the board that compiles measures as well."""

    boards: Sequence[Board]
    machines: Dict[str, Machine]


class Outcome(NamedTuple):
    ended: List[Ended]
    stopped: bool
    """Whether the user asked for an early end."""


def tune_all(request: Request, effort: Effort, boards: Sequence[Board], progress: Progress) -> Outcome:
    """On one board, which compiles and measures; with several they measure, and this machine compiles."""
    plan = without_variants(request.plan)
    with lock.measuring(request.results), contextlib.ExitStack() as stack, interruptible(progress) as stop:
        for board in boards:
            stack.enter_context(board.held(functools.partial(runs.take, request.results)))
        compiling = boards[0] if len(boards) == 1 else LocalBoard(request.results / ".work")
        found = survey(plan, compiling, request.models_dir, request.results, progress)
        others = _others(request.results / ".work", [] if len(boards) == 1 else boards, found)
        return Outcome(_jobs(request, effort, found, others, progress, stop), stop.asked.is_set())


def without_variants(plan: Plan) -> Plan:
    """The plan's untuned engines of what can be tuned; raises PlanError where nothing can."""
    tunable = [name for name in backends.names() if TUNED in backends.variants(name)]
    blocks = []
    for block in plan.experiments:
        names = [name for name in block.backends if name in tunable]
        if names:
            blocks.append(msgspec.structs.replace(block, backends=names, variants=[UNTUNED], builds=1))
    if not blocks:
        named = ", ".join(dict.fromkeys(name for block in plan.experiments for name in block.backends))
        raise PlanError(f"BACKENDS: {named} has nothing to tune; {', '.join(tunable)} has")
    return msgspec.structs.replace(plan, experiments=blocks, baseline=None)


def _jobs(
    request: Request, effort: Effort, found: Survey, others: Others, progress: Progress, stop: Stop
) -> List[Ended]:
    ended = []
    measuring = next(iter(others.machines.values()), found.machine)
    for options, experiment in _wanted(found):
        if stop.asked.is_set():
            break
        name = engine_label(options)
        obstacle, made_of = found.obstacle(options), found.ingredients(options)
        if obstacle is not None or made_of is None:
            ended.append(Ended(name, obstacle, None))
            continue
        facts, model = found.machine.backends[options.backend], found.model(options)
        work = Work(
            name=name,
            made_of=made_of,
            model=model,
            header=logs.header(options, model.sha256, facts),
            inference=_within(experiment.inference, others),
            machine=measures(measuring, experiment),
        )
        with _fleet(request, effort, found, options, others, work, progress) as fleet:
            answer = tune(work, effort, request.plan.seed, found.board, request.results, progress, stop, fleet)
        ended.append(Ended(name, answer, logs.folder(request.results, work.header)))
    return ended


def _others(work: Path, boards: Sequence[Board], found: Survey) -> Others:
    tuned = sorted({one.build.backend for one in found.experiments if TUNED in backends.variants(one.build.backend)})
    return Others(boards, {one.name: probe(work, tuned, one, trust_known=True) for one in boards})


def _within(inference: InferenceOptions, others: Others) -> InferenceOptions:
    """No more threads than any board has: the plan's were counted on this machine."""
    most = min([inference.threads, *(one.allowed_threads for one in others.machines.values())])
    return msgspec.structs.replace(inference, threads=most)


def _wanted(found: Survey) -> List[Tuple[BuildOptions, Experiment]]:
    """Each engine once, with the first way in which the plan runs it."""
    wanted: Dict[BuildOptions, Experiment] = {}
    for one in found.experiments:
        if TUNED in backends.variants(one.build.backend):
            wanted.setdefault(msgspec.structs.replace(one.build, build_number=UNSET), one)
    return list(wanted.items())


@contextlib.contextmanager
def _fleet(
    request: Request,
    effort: Effort,
    found: Survey,
    options: BuildOptions,
    others: Others,
    work: Work,
    progress: Progress,
) -> Iterator[Optional[Fleet]]:
    """The boards as servers for this job; None where the board that compiles measures as well.

    Raises PlanError where they cannot serve one job.
    """
    if not others.boards:
        yield None
        return
    agreed(others.machines, found.machine, options.target)
    limit_s = effort.minutes * 60 + FLEET_GRACE_S
    with served(others.boards, request.results, work.inference.threads, limit_s, progress) as fleet:
        yield fleet
