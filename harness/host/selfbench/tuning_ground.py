"""What the parts on tuning stand on: a model, what its untuned engine is made of, and a folder for its trial log."""

import secrets
from pathlib import Path
from typing import NamedTuple, Type, TypeVar

from harness.errors import LaunchError
from harness.host.block import Block
from harness.host.board import LocalBoard
from harness.host.launch.ask import ask
from harness.host.plan import Plan
from harness.host.selfbench.ground import Place
from harness.host.survey import survey
from harness.host.tuning import logs
from harness.host.tuning.job import Work, measures
from harness.jobs import Failure, TuneJob
from harness.records import Record

R = TypeVar("R", bound=Record)


class Stand(NamedTuple):
    """A model that can be tuned here."""

    board: LocalBoard
    work: Work

    def job(self, log: Path, **asked: object) -> TuneJob:
        """Of `asked`: trials, max_seconds and threads, and what else is not to be its default."""
        log.parent.mkdir(parents=True, exist_ok=True)
        return TuneJob(
            ingredients=self.work.made_of,
            model=str(self.work.model.path),
            header=self.work.header,
            log=str(log),
            progress=str(log.parent / f"{log.name}-progress.json"),
            stop=str(log.parent / f"{log.name}-stop"),
            job=secrets.token_hex(6),
            machine=self.work.machine,
            **asked,  # type: ignore[arg-type]
        )

    def ask(self, verb: str, job: TuneJob, kind: Type[R]) -> R:
        """What a worker answers; raises LaunchError where it could not do it."""
        answer, _ = ask(self.board, verb, job, kind, job.max_seconds + 1800.0)
        if isinstance(answer, Failure):
            raise LaunchError(f"selfbench: {verb} {self.work.name}: {answer.status}: {answer.reason}")
        return answer


def stand(place: Place, model: str, threads: int, precision: str = "fp32") -> Stand:
    """Raises LaunchError where TVM is not there or cannot build the model."""
    block = Block(models=[model], backends=["tvm"], threads=[threads], precisions=[precision])
    plan = Plan(title="selfbench", experiments=[block], warmup=2, iterations=10, max_seconds=5.0)
    here = LocalBoard(place.results / ".work")
    found = survey(plan, here, place.models_dir, place.results, place.progress)
    (experiment,) = [one for one in found.experiments if one.build.backend == "tvm"]
    obstacle, made_of = found.obstacle(experiment.build), found.ingredients(experiment.build)
    if obstacle is not None or made_of is None:
        raise LaunchError(f"selfbench: {model}: {obstacle.reason if obstacle is not None else 'TVM cannot build here'}")
    prepared, facts = found.model(experiment.build), found.machine.backends["tvm"]
    work = Work(
        name=model,
        made_of=made_of,
        model=prepared,
        header=logs.header(experiment.build, prepared.sha256, facts),
        inference=experiment.inference,
        machine=measures(found.machine, experiment),
    )
    return Stand(here, work)
