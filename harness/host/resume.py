"""Decides whether `make bench` goes on with a run or starts one; says what differs where a named run cannot go on."""

import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Dict, Optional, Tuple, Union

import msgspec

from harness import upgrades
from harness.errors import PlanError, RecordError
from harness.host import machines, runs
from harness.host.request import Request
from harness.host.runs import Model, Run
from harness.host.survey import Survey
from harness.jobs import Failure
from harness.records import Machine, Reference

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*")
TAKEN = ("engines", "references")


def open_run(request: Request, survey: Survey, references: "Dict[str, Union[Reference, Failure]]") -> Tuple[Path, Run]:
    """The named run, the newest unfinished one that matches, or a new one; its folder holds run.json and machine.json.

    A run is finished when every cell has ended, and none as what is to be retried.
    """
    wanted = _planned(request, survey, references)
    if request.run is not None:
        folder = request.results / _checked(request.run)
        if (folder / "run.json").exists():
            different = mismatch(folder, wanted, survey.machine)
            if different:
                raise PlanError(f"{folder}: this run cannot be gone on with: {different}. Give another name in RUN")
            return folder, upgrades.read(folder / "run.json", Run)
        return _create(folder, msgspec.structs.replace(wanted, name=request.run), survey.machine)
    for name in runs.names(request.results):
        folder = request.results / name
        if _unfinished(folder, request.retry) and not mismatch(folder, wanted, survey.machine):
            return folder, upgrades.read(folder / "run.json", Run)
    return _create(request.results / wanted.name, wanted, survey.machine)


def mismatch(folder: Path, wanted: Run, machine: Machine) -> str:
    """What keeps the run in `folder` from being gone on with as `wanted` on `machine`; empty when nothing does."""
    stored = upgrades.read(folder / "run.json", Run)
    broken = list(runs.ended(folder, stored).broken.values())
    if broken:
        return broken[0]
    if stored.board != wanted.board:
        return f"board: {stored.board} then, {wanted.board} now"
    old, new = msgspec.to_builtins(stored.plan), msgspec.to_builtins(wanted.plan)
    changed = [f"plan's {name}: {old[name]} then, {new[name]} now" for name in old if old[name] != new[name]]
    if stored.engines != wanted.engines and not changed:
        changed.append("an engine's ingredients (model, runtime or options) are others now")
    if stored.references != wanted.references and not changed:
        changed.append("the accuracy reference is another now")
    before = upgrades.read(folder / stored.board / "machine.json", Machine)
    return "; ".join(changed + [text for text in [machines.difference(before, machine)] if text])


def _planned(request: Request, survey: Survey, references: "Dict[str, Union[Reference, Failure]]") -> Run:
    keys = {one.slug(): survey.ingredients(one.build) for one in survey.experiments}
    first = survey.experiments[0].build.model
    return Run(
        name=runs.new_name(first),
        created_utc=datetime.now(timezone.utc).isoformat(timespec="microseconds"),
        command=request.command,
        plan=request.plan,
        plan_name=request.plan_name,
        board=request.board,
        experiments=survey.experiments,
        engines={slug: made_of.key() for slug, made_of in keys.items() if made_of is not None},
        references={name: one for name, one in references.items() if isinstance(one, Reference)},
        models=[
            Model(
                reference=one.reference,
                sha256=one.sha256,
                description=one.manifest.description,
                licence=one.manifest.licence,
                weights=one.manifest.weights,
                note=one.manifest.note,
            )
            for one in survey.models.values()
        ],
    )


def _create(folder: Path, run: Run, machine: Machine) -> Tuple[Path, Run]:
    upgrades.write(folder / run.board / "machine.json", machine)
    upgrades.write(folder / "run.json", run)  # last: a folder without it is no run
    return folder, run


def _unfinished(folder: Path, retry: Optional[str]) -> bool:
    try:
        run = upgrades.read(folder / "run.json", Run)
    except RecordError:
        return False
    ended = runs.ended(folder, run)
    final = [result for result in ended.results.values() if result.status != retry]
    return not ended.broken and len(final) < len(runs.cells(run))


def _checked(name: str) -> str:
    if not NAME.fullmatch(name) or name in TAKEN:
        raise PlanError(f"RUN: {name!r} is no name for a run; use letters, digits and ._@- (not {', '.join(TAKEN)})")
    return name
