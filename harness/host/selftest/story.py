"""`make selftest` as a story: ask the doctor, bench the plan, ask trtexec, and check what came of it."""

import contextlib
import shlex
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

import msgspec

from harness import backends, upgrades
from harness.errors import HarnessError, LaunchError, PlanError
from harness.host import boards, runs
from harness.host import plan as plans
from harness.host.bench import bench
from harness.host.block import Block
from harness.host.board import LOCAL
from harness.host.crosscheck import check
from harness.host.doctor import examine
from harness.host.doctor.finding import Finding
from harness.host.instead import INSTEAD
from harness.host.models import prepare
from harness.host.progress import Progress
from harness.host.request import Request, requested
from harness.host.runs import RunData
from harness.host.selftest import cells, clocks, images, opinions, paste, sensing
from harness.host.selftest.line import CROSSCHECK, FAILED, RUN, SKIPPED, Line

PLAN = "selftest"
TINY = "yolov5n@64"
"""Stays in the plan whatever MODEL says."""
KEPT = "selftest.md"


class Selftest(NamedTuple):
    markdown: str
    path: Optional[Path]
    """Where it lies beside the run; None where there is no run."""
    failed: bool


def selftest(given: Dict[str, Any], progress: Progress) -> Selftest:
    """`given` is what click collected. Raises PlanError for what the user must change first."""
    if len(given["board"]) != 1:
        raise PlanError("BOARD: one at a time is tested; name one")
    with _calibration(given["calibration"]) as folder:
        request = asked(given, folder)
        for reference in plans.models(request.plan).values():
            prepare.find(request.models_dir, reference)
        with progress.step("doctor"):
            findings = examine(request.boards[0], request.jetpack, request.results).findings
        return _checked(request, findings, progress)


def asked(given: Dict[str, Any], calibration: str) -> Request:
    """The plan with every backend there is; the user's models take the real one's place, and precisions that of all."""
    own = {"models": given["model"], "precisions": given["precisions"]}
    overruled = {"model": None, "precisions": None, "backends": given["backends"] or _all(), "calibration": calibration}
    request = requested({**given, **overruled}, PLAN)
    plan = msgspec.structs.replace(request.plan, experiments=[_with(one, **own) for one in request.plan.experiments])
    plans.check(plan, {"models": "MODEL", "precisions": "PRECISIONS"}, PLAN)
    return request._replace(plan=plan, command=_command(given))


def _command(given: Dict[str, Any]) -> str:
    """What the user typed, to do it again."""
    lists = {name: ",".join(given[name] or ()) for name in ("model", "backends", "precisions", "board")}
    plain = {name: given[name] for name in ("plan", "jetpack", "calibration")}
    said = {name: value for name, value in {**lists, **plain}.items() if value and (name, value) != ("board", LOCAL)}
    return " ".join(["make", "selftest", *(shlex.quote(f"{name.upper()}={value}") for name, value in said.items())])


def _with(block: Block, models: Optional[List[str]], precisions: Optional[List[str]]) -> Block:
    """Blocks of the tiny model alone keep it, and those of one precision that."""
    if models is not None and block.models != [TINY]:
        block = msgspec.structs.replace(block, models=[*(name for name in block.models if name == TINY), *models])
    if precisions is not None and len(block.precisions) > 1:
        block = msgspec.structs.replace(block, precisions=precisions)
    return block


def _all() -> List[str]:
    """But the floor, which every run measures, and but those that come by themselves in another's place."""
    return [name for name in backends.names() if name != plans.FLOOR and name not in INSTEAD.values()]


@contextlib.contextmanager
def _calibration(given: Optional[str]) -> Iterator[str]:
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="selftest-") as folder:
        images.write(Path(folder) / "images")
        yield str(Path(folder) / "images")


def _checked(request: Request, findings: List[Finding], progress: Progress) -> Selftest:
    lines = opinions.doctor(findings)
    try:
        with boards.opened(request.boards, request.jetpack, request.results, progress) as opened:
            folder = bench(request, opened, progress).folder
    except LaunchError as error:
        lines.append(Line(RUN, "cells", FAILED, str(error)))
        return Selftest(paste.text(None, lines), None, True)
    data = runs.load_one(folder)
    checked = [*cells.lines(data), *clocks.lines(data), *_crosscheck(data, folder, request, findings, progress)]
    lines = [*checked, *sensing.lines(data), *lines]
    path = folder / KEPT
    said = paste.text(data.machine, lines)
    upgrades.write_bytes(path, f"{said}\n".encode())
    return Selftest(said, path, any(one.status == FAILED for one in lines))


def _crosscheck(
    data: RunData, folder: Path, request: Request, findings: List[Finding], progress: Progress
) -> List[Line]:
    measured = {one.experiment.slug() for one in data.results if one.status == "ok"}
    if not any(one.slug() in measured for one in check.targets(data.on)):
        return [Line(CROSSCHECK, check.BACKEND, SKIPPED, "no TensorRT engine ran here")]
    try:
        outcomes = check.crosscheck(folder, request.results, progress)
    except HarnessError as error:
        return [Line(CROSSCHECK, check.BACKEND, FAILED, str(error))]
    return opinions.crosscheck(outcomes, sensing.clocks_held(data) or opinions.clocks_locked(findings))
