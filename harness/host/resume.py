"""Decides whether `make bench` goes on with a run or starts one; says what differs where a named run cannot go on."""

import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Dict, Optional, Sequence, Tuple, Union

import msgspec
from msgspec import UNSET

from harness import upgrades
from harness.errors import PlanError, RecordError
from harness.host import machines, runs
from harness.host.request import Request
from harness.host.runs import Model, OnBoard, Run
from harness.host.survey import Survey
from harness.jobs import Failure
from harness.records import Machine, Reference

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*")
TAKEN = ("engines", "references", "calibrations", "tuning")


Made = Dict[str, Union[Reference, Failure]]


def open_run(request: Request, surveys: Sequence[Survey], references: Sequence[Made]) -> Tuple[Path, Run]:
    """The named run, the newest unfinished one that matches, or a new one; its folder holds run.json and machine.json.

    One survey and its references for each board. A run is finished when every cell has ended, none as what is to be
    retried, and its pilot, where it has one, has decided what follows.
    """
    wanted = _planned(request, surveys, references)
    machines_ = {one.board.name: one.machine for one in surveys}
    if request.run is not None:
        folder = request.results / _checked(request.run)
        if (folder / "run.json").exists():
            different = mismatch(folder, wanted, machines_)
            if different:
                raise PlanError(
                    f"{folder}: this run cannot be gone on with: {different}. Another name in RUN starts a new one"
                )
            return folder, upgrades.read(folder / "run.json", Run)
        return _create(folder, msgspec.structs.replace(wanted, name=request.run), machines_)
    for name in runs.names(request.results):
        folder = request.results / name
        if unfinished(folder, request.retry) and not mismatch(folder, wanted, machines_):
            return folder, upgrades.read(folder / "run.json", Run)
    return _create(request.results / wanted.name, wanted, machines_)


def mismatch(folder: Path, wanted: Run, now: Dict[str, Machine]) -> str:
    """What keeps the run in `folder` from being gone on with as `wanted` on these boards; empty when nothing does."""
    stored = upgrades.read(folder / "run.json", Run)
    for on in stored.on:
        for text in runs.ended(folder, stored, on).broken.values():
            return text
    before, after = ([on.board for on in run.on] for run in (stored, wanted))
    if before != after:
        return f"board: {', '.join(before)} then, {', '.join(after)} now"
    old, new = msgspec.to_builtins(stored.plan), msgspec.to_builtins(wanted.plan)
    changed = [f"plan's {name}: {old[name]} then, {new[name]} now" for name in old if old[name] != new[name]]
    if not changed:  # the same models then, in the same order
        changed += [
            f"the bytes of {one.reference}: sha256 {one.sha256[:12]} then, {other.sha256[:12]} now"
            for one, other in zip(stored.models, wanted.models)
            if one.sha256 != other.sha256
        ]
    for was in stored.on:
        machine = upgrades.read(folder / was.board / "machine.json", Machine)
        changed += [text for text in [machines.difference(machine, now[was.board])] if text]
    for was, will in zip(stored.on, wanted.on):
        if was.engines != will.engines and not changed:
            changed.append("an engine's ingredients are others now")
        if was.references != will.references and not changed:
            changed.append("the accuracy reference is another now")
    return "; ".join(changed)


def _planned(request: Request, surveys: Sequence[Survey], references: Sequence[Made]) -> Run:
    first = surveys[0].experiments[0].build.model
    return Run(
        name=runs.new_name(first),
        created_utc=datetime.now(timezone.utc).isoformat(timespec="microseconds"),
        command=request.command,
        plan=request.plan,
        plan_name=request.plan_name,
        on=[_on_board(survey, made) for survey, made in zip(surveys, references)],
        models=[
            Model(
                reference=one.reference,
                sha256=one.sha256,
                description=one.manifest.description,
                licence=one.manifest.licence,
                weights=one.manifest.weights,
                note=one.manifest.note,
            )
            for one in surveys[0].models.values()
        ],
    )


def _on_board(survey: Survey, references: Made) -> OnBoard:
    keys = {one.slug(): survey.ingredients(one.build) for one in survey.experiments}
    return OnBoard(
        board=survey.board.name,
        experiments=survey.experiments,
        engines={slug: made_of.key() for slug, made_of in keys.items() if made_of is not None},
        references={name: one for name, one in references.items() if isinstance(one, Reference)},
    )


def _create(folder: Path, run: Run, now: Dict[str, Machine]) -> Tuple[Path, Run]:
    for board, machine in now.items():
        upgrades.write(folder / board / "machine.json", machine)
    upgrades.write(folder / "run.json", run)  # last: a folder without it is no run
    return folder, run


def unfinished(folder: Path, retry: Optional[str]) -> bool:
    try:
        run = upgrades.read(folder / "run.json", Run)
    except RecordError:
        return False
    ended = [runs.ended(folder, run, on) for on in run.on]
    final = [result for one in ended for result in one.results.values() if result.status != retry]
    planned = sum(len(runs.cells(run, on)) for on in run.on)
    undecided = run.plan.until is not None and any(on.budget is UNSET for on in run.on)
    return not any(one.broken for one in ended) and (len(final) < planned or undecided)


def _checked(name: str) -> str:
    if not NAME.fullmatch(name) or name in TAKEN:
        raise PlanError(f"RUN: {name!r} is no name for a run; use letters, digits and ._@- (not {', '.join(TAKEN)})")
    return name
