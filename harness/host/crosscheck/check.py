"""Checks the TensorRT engines of a run, on the boards that measured them, one trtexec at a time."""

import functools
import hashlib
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import msgspec
from msgspec import UNSET

from harness import upgrades
from harness.crosscheck import CrosscheckJob, TrtexecRun
from harness.errors import PlanError, RecordError, RefusedArchive
from harness.host import boards, lock, machines, runs
from harness.host.board import Board
from harness.host.crosscheck import agreement, caveats, exported
from harness.host.crosscheck.exported import Exported
from harness.host.crosscheck.outcome import Crosscheck
from harness.host.engines import EngineStore
from harness.host.launch.ask import ask_with
from harness.host.progress import Progress, label
from harness.host.runs import OnBoard, Run, RunData
from harness.jobs import Failure
from harness.records import Engine, Experiment, Result

BACKEND = "tensorrt"
TIMES = "trtexec-times.json"
MORE_S = 90.0
"""What a worker may take beyond trtexec's own limit: to start, and to ask for its version."""


def find(results: Path, name: Optional[str]) -> Path:
    """The folder of the run `name`, or of the newest that measured a TensorRT engine."""
    folder = runs.find(results, name)
    for candidate in [folder] if name is not None else [results / one for one in runs.names(results)]:
        if any(targets(on) for on in upgrades.read(candidate / "run.json", Run).on):
            return candidate
    what = f"run {folder.name} measured no" if name is not None else "no run here measured a"
    raise PlanError(f"{results}: {what} TensorRT engine, and trtexec knows no other; make bench BACKENDS={BACKEND}")


def targets(on: OnBoard) -> List[Experiment]:
    return [one for one in on.experiments if one.build.backend == BACKEND]


def crosscheck(folder: Path, results: Path, progress: Progress) -> List[Crosscheck]:
    """Every outcome is stored as it comes; one for each TensorRT experiment, in the plan's order."""
    found = []
    with lock.measuring(results):
        for data in runs.load(folder):
            wanted = targets(data.on)
            if not wanted:
                continue
            container = wanted[0].system.container
            pin = boards.NO_CONTAINER if container is UNSET else str(container)
            with boards.opened([data.on.board], pin, results, progress) as (board,):
                found += list(_on_board(folder, data, board, results, progress))
    return found


def _on_board(folder: Path, data: RunData, board: Board, results: Path, progress: Progress) -> Iterator[Crosscheck]:
    with board.held(functools.partial(runs.take, results)):
        now = machines.probe(results / ".work", [], board)
        moved = machines.difference(msgspec.structs.replace(data.machine, backends={}), now)
        for experiment in targets(data.on):
            with progress.step(f"crosscheck {label(experiment)}") as step:
                outcome, times = _one(data, experiment, board, results, moved)
                step.note(outcome.reason and f"{outcome.status}: {outcome.reason}")
            path = runs.crosscheck_path(folder, experiment)
            if times:
                upgrades.write_bytes(path.with_name(TIMES), times)
            upgrades.write(path, outcome)
            yield outcome


def _one(
    data: RunData, experiment: Experiment, board: Board, results: Path, moved: str
) -> Tuple[Crosscheck, Optional[bytes]]:
    """The outcome, and trtexec's own file where there is one."""
    about: Dict[str, Any] = {
        "run": data.run.name,
        "experiment": experiment,
        "engine": data.on.engines.get(experiment.slug(), ""),
        "created_utc": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    rounds = [one for one in data.results if one.experiment.slug() == experiment.slug() and one.status == "ok"]
    engine = data.engines.get(about["engine"])
    lacks = _lacks(rounds, engine, results)
    if lacks or engine is None:
        return Crosscheck(**about, status="skipped", reason=lacks), None
    with board.launch() as launcher:
        job = CrosscheckJob(
            engine_dir=board.engine(EngineStore(results).folder(engine.ingredients)),
            ingredients=engine.ingredients,
            options=agreement.options(experiment),
            times=launcher.place(TIMES),
            limit_s=data.run.plan.worker_limit_s(),
        )
        answer, _ = ask_with(launcher, "crosscheck", job, TrtexecRun, job.limit_s + MORE_S)
        if isinstance(answer, Failure):
            return Crosscheck(**about, status=answer.status, reason=answer.reason), None
        try:
            times = launcher.get(TIMES) or b""
            queries = exported.decode(times, TIMES)
            left_out = _warm_up(queries, experiment)
        except (RefusedArchive, RecordError) as error:
            return Crosscheck(**about, trtexec=answer, status="failed", reason=str(error)), None
    kept = queries.last(len(queries.queries) - left_out)
    outcome = Crosscheck(
        **about,
        status="ok",
        trtexec=answer,
        times_sha256=hashlib.sha256(times).hexdigest(),
        left_out=left_out,
        compared=agreement.compare(rounds, kept, experiment, answer.options),
        notes=[*answer.notes, *caveats.of(kept, rounds, experiment, answer.options), *_moved(moved)],
    )
    return outcome, times


def _lacks(rounds: List[Result], engine: Optional[Engine], results: Path) -> str:
    if not rounds or engine is None:
        return "no cell of it ended ok in this run, so there is nothing to hold against trtexec"
    if EngineStore(results).find(engine.ingredients) is None:
        return f"engine {engine.key} is no longer in results/engines; `make build-engines` makes it again"
    return ""


def _warm_up(queries: Exported, experiment: Experiment) -> int:
    """How many to leave out at the start, so that as many are left as we have iterations.

    Not simply our count of warm-ups: 11.1 runs one query more than it was told (its list of reference pairs, which adds
    to the count, is never empty).
    """
    inference = experiment.inference
    more = len(queries.queries) - inference.iterations
    if more < inference.warmup:
        raise RecordError(
            f"{TIMES} holds {len(queries.queries)} queries, where {inference.warmup + inference.iterations} were asked "
            "for: this trtexec does not count them as it is known to"
        )
    return more


def _moved(moved: str) -> List[str]:
    return [f"the board is not as it was when the run was measured: {moved}"] if moved else []
