"""Looks where workers run, in a worker as a bench would: runtimes, packages, CUDA device, library paths."""

import functools
from pathlib import Path
from typing import List, Optional

from harness import backends
from harness.errors import HarnessError
from harness.host import boards, lock, runs
from harness.host.board import Board
from harness.host.containers.pins import Pin
from harness.host.doctor.finding import Finding
from harness.host.launch.ask import ask
from harness.host.progress import Progress
from harness.jobs import Failure, Inspection, InspectJob, Package, ProbeJob
from harness.records import Machine

PACKAGES = ("numpy", "onnx", "tensorrt", "pycuda", "tvm")
VARIABLES = ("LD_LIBRARY_PATH", "CUDA_HOME")
LIMIT_S = 300
CURES = (
    ("libnvdla_compiler", "run with the nvidia runtime; on JetPack 6: sudo apt-get install nvidia-l4t-dla-compiler"),
    ("static TLS block", "start with LD_PRELOAD= the library it names: it must be loaded before the others"),
    ("file too short", "the host's library of that name is empty: see the line of host libraries"),
    ("libcuda.so", "the driver is not there: run with the nvidia runtime, see its line"),
    ("libnvinfer", "TensorRT's libraries are not found: add their folder to LD_LIBRARY_PATH"),
    ("libcudart", "CUDA's runtime is not found: add /usr/local/cuda/lib64 to LD_LIBRARY_PATH"),
    ("libcu", "a CUDA library is not found: add /usr/local/cuda/lib64 to LD_LIBRARY_PATH"),
    ("Cannot allocate memory", "end what takes the memory (make doctor shows how much is left), or add swap"),
    ("numpy", "that build needs another NumPy: use the version in docker/requirements"),
)


def findings(name: str, jetpack: Optional[str], pin: Optional[Pin], results: Path) -> List[Finding]:
    """A run that is going on is left in peace: what it measures would be disturbed, and its hold on a board lost."""
    try:
        with lock.measuring(results), boards.opened([name], jetpack, results, Progress(quiet=True)) as found:
            return _unless_busy(found[0], pin, results)
    except lock.Busy as error:
        return [Finding.note("inside", f"not looked at: {error}")]
    except HarnessError as error:
        return [Finding.problem("inside", str(error))]


def _unless_busy(board: Board, pin: Optional[Pin], results: Path) -> List[Finding]:
    if pin is not None and not board.ready():
        text = "the pin's is not on this engine yet, so nothing inside was looked at"
        return [Finding.note("image", text, "make shell")]
    if board.busy():
        text = f"not looked at: a cell is measured on board {board.name} now"
        return [Finding.note("inside", text, "wait; make pull fetches what a lost connection left")]
    with board.held(functools.partial(runs.take, results)):
        return ask_inside(board, pin)


def ask_inside(board: Board, pin: Optional[Pin]) -> List[Finding]:
    machine, _ = ask(board, "probe", ProbeJob(backends=backends.names()), Machine, LIMIT_S)
    if isinstance(machine, Failure):
        return [Finding.problem("runtimes", machine.reason)]
    found = [
        Finding.ok(name, f"{facts.version}, compiles for {facts.architecture}")
        if facts.available
        else Finding.note(name, f"skipped: {facts.reason}")
        for name, facts in sorted(machine.backends.items())
    ]
    said, _ = ask(board, "inspect", InspectJob(packages=list(PACKAGES), variables=list(VARIABLES)), Inspection, LIMIT_S)
    if isinstance(said, Failure):
        return [*found, Finding.problem("packages", said.reason)]
    return [*found, *judge(said, pin)]


def judge(said: Inspection, pin: Optional[Pin]) -> List[Finding]:
    pinned = {} if pin is None else {"tensorrt": pin.tensorrt, "pycuda": "any" if pin.cuda else "", "tvm": pin.tvm}
    found = [package(name, one, pinned.get(name)) for name, one in said.packages.items()]
    return [*found, device(said, pin), *(variable(name, said) for name in said.variables)]


def package(name: str, one: Package, pinned: Optional[str]) -> Finding:
    """`pinned` is the version that the pin names, empty where its image has none, None without a container."""
    title = f"import {name}"
    if not one.reason:
        wanted = (pinned or "").lstrip("v")
        if wanted and wanted != "any" and not one.version.startswith(wanted):
            return Finding.problem(
                title, f"{one.version}, where the pin says {wanted}", "make pin, then build it again"
            )
        return Finding.ok(title, one.version)
    if "No module named" in one.reason and not pinned:
        where = "this machine" if pinned is None else "this pin's image"
        return Finding.note(title, f"{where} has none: {one.reason}")
    return Finding.problem(title, one.reason, cure(one.reason))


def cure(reason: str) -> str:
    for sign, what in CURES:
        if sign in reason:
            return what
    return "make shell opens the same place; try the import there"


def device(said: Inspection, pin: Optional[Pin]) -> Finding:
    if said.cuda_device:
        return Finding.ok("CUDA device", said.cuda_device)
    if pin is not None and pin.cuda:
        return Finding.problem("CUDA device", said.cuda_reason, cure(said.cuda_reason))
    return Finding.note("CUDA device", f"none: {said.cuda_reason}")


def variable(name: str, said: Inspection) -> Finding:
    value, missing = said.variables[name], said.missing.get(name, [])
    if value is None:
        return Finding.ok(name, "not set")
    if missing:
        return Finding.note(name, f"{value}: there is no {', '.join(missing)}", f"take it out of {name}, or unset it")
    return Finding.ok(name, value or "empty")
