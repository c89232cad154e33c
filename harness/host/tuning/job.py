"""One tuning job: what is asked of a worker, and what becomes of its log, however it ends."""

import secrets
from pathlib import Path
from typing import NamedTuple, Optional, Union

import msgspec
from msgspec import UNSET

from harness import trials
from harness.fleet import Fleet
from harness.host.board import Board
from harness.host.launch.ask import ask_with
from harness.host.models.prepare import PreparedModel
from harness.host.progress import Progress
from harness.host.tuning import logs, watching
from harness.host.tuning.effort import Effort
from harness.jobs import Failure, Tuned, TuneJob
from harness.records import Experiment, InferenceOptions, Ingredients, Machine
from harness.records.tuning import End, Header, Job, Trial, stand
from harness.trials import LOG, Contents

CHOICE_LIMIT_S = 1800.0
"""That starting, reading the model and choosing may take on top of the search."""


class Work(NamedTuple):
    """What is tuned, and for what."""

    name: str
    """For a reader."""
    made_of: Ingredients
    """Of the untuned engine."""
    model: PreparedModel
    header: Header
    inference: InferenceOptions
    """As the tuned engine will be run."""
    machine: str
    """What measures."""


def measures(machine: Machine, experiment: Experiment) -> str:
    """What measures on a machine, in a trial log's words: a module's before its chip's, which others have as well."""
    gpu = machine.cuda_device if experiment.inference.processor == "gpu" else None
    chip = machine.cpu_model if gpu is None else gpu
    return chip if machine.module is None else f"{machine.module}, {chip}"


def tune(
    work: Work,
    effort: Effort,
    seed: int,
    board: Board,
    results: Path,
    progress: Progress,
    stop: watching.Stop,
    fleet: Optional[Fleet] = None,
) -> Union[Tuned, Failure, None]:
    """None where the log has as many trials of this stand as were asked for.

    Raises what the log raises (RecordError).
    """
    folder = logs.folder(results, work.header)
    place = board.tuning(folder, work.header)
    known = _known(folder, work.header)
    missing = effort.trials - (0 if known is None else _trials_here(known, work))
    if missing < 1 and known is not None and not _unfinished(known):
        return None
    wanted = effort._replace(trials=max(1, missing))
    try:
        with board.launch() as launcher:
            job = TuneJob(
                ingredients=msgspec.structs.replace(work.made_of, calibration=UNSET),
                model=board.model(work.model.path, work.model.sha256),
                header=work.header,
                log=place,
                progress=launcher.place(watching.PROGRESS),
                stop=launcher.place(watching.STOP),
                job=secrets.token_hex(6),
                trials=wanted.trials,
                max_seconds=wanted.minutes * 60,
                seed=seed,
                threads=work.inference.threads,
                machine=work.machine,
                strategy=wanted.strategy,
                cost_model=wanted.cost_model,
                fleet=fleet,
            )
            with watching.watched(launcher, f"tune {work.name}", wanted, progress, stop):
                answer, _ = ask_with(launcher, "tune", job, Tuned, job.max_seconds + CHOICE_LIMIT_S)
    finally:
        board.tuned(folder, work.header)  # whatever ended it, what had a time is in the log
    return answer


def _known(folder: Path, header: Header) -> Optional[Contents]:
    if not (folder / LOG).exists():
        return None
    found = trials.read(folder / LOG)
    trials.check_same(found.header, header, str(folder / LOG))
    return found


def _trials_here(known: Contents, work: Work) -> int:
    """Those whose times count where `work` measures: others only say what to try first."""
    here = {one.job for one in known.of(Job) if one.stand == stand(work.machine, work.inference.threads)}
    return sum(one.job in here for one in known.of(Trial))


def _unfinished(known: Contents) -> bool:
    """Whether the newest job was killed before it had chosen."""
    newest = max(known.of(Job), key=lambda one: one.started_utc, default=None)
    return newest is not None and newest.job not in {one.job for one in known.of(End)}
