"""A self-test as Markdown for an issue: what ran where, line by line, and nothing that tells whose machine it was."""

import platform
import re
import socket
import sys
from pathlib import Path
from typing import Iterable, List, Optional, Sequence, Set

import harness
from harness.host import boards
from harness.host.selftest.line import FAILED, OK, SKIPPED, Line, merged, unproved
from harness.records import Machine

SYSTEM = ("usr", "etc", "proc", "sys", "dev", "lib", "lib64", "opt", "bin", "sbin", "boot")
"""Folders of the system itself: their names are the same on every machine."""
PATH = re.compile(r"(?<![\w.~/-])/(?P<first>[\w.+@-]+)(?:/[\w.+@%-]*)*")
BELOW_HOME = re.compile(r"~(?:/[\w.+@%-]+)+")
ADDRESS = re.compile(r"\b(?:ssh|tcp|unix|http|https)://[^\s,;)]+")
CARD = re.compile(r"\b(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}\b")
"""Of a network. (Numbers of hosts are known from boards.toml alone: 10.3.0.26 is a TensorRT as well.)"""
TITLE = "## Self-test"
TAKES = "It takes a board with a GPU, TensorRT and its trtexec."


def text(machine: Optional[Machine], lines: Sequence[Line]) -> str:
    shown = merged(Line(one.part, one.what, one.status, clean(one.text)) for one in lines)
    table = [_row(("part", "what", "result", "figures or reason")), _row(["---"] * 4), *(_row(one) for one in shown)]
    counts = ", ".join(f"{sum(one.status == status for one in lines)} {status}" for status in (OK, SKIPPED, FAILED))
    about = facts(machine) if machine is not None else [f"harness {harness.__version__}"]
    said = [TITLE, "", *(f"- {fact}" for fact in about), "", *table, "", f"{counts}."]
    missing = unproved(lines)
    if missing:
        said.append(f"Nothing of this could run here, and so is not proved: {', '.join(missing)}. {TAKES}")
    return "\n".join(said)


def _row(cells: Sequence[str]) -> str:
    """Not aligned, as tables of reports are: an issue takes 65,536 characters."""
    return f"| {' | '.join(' '.join(cell.replace('|', chr(92) + '|').split()) for cell in cells)} |"


def facts(machine: Machine) -> List[str]:
    """What a reader needs to know of the machine; its name is not among it."""
    found = [f"harness {machine.harness_version}, revision {machine.harness_revision}, Python {machine.python}"]
    found.append(f"{machine.system}, kernel {machine.kernel}, {machine.architecture}, {machine.cpu_model}")
    found.append(f"{machine.allowed_threads} of {machine.logical_cpus} CPUs, {machine.memory_bytes / 1e9:.1f} GB")
    board = [machine.module or "", f"L4T {machine.l4t}" if machine.l4t else "", machine.power_mode or ""]
    found += [", ".join(filter(None, board))] if any(board) else []
    found.append(f"CUDA: {machine.cuda_device or 'no device'}")
    if machine.container is not None:
        found.append(f"container {machine.container.jetpack}, GPU by {machine.container.gpu}")
    there = [f"{name} {one.version} ({one.architecture})" for name, one in machine.backends.items() if one.available]
    found.append(f"runtimes: {', '.join(there) or 'none'}")
    return [clean(one) for one in found]


def clean(said: str, names: Iterable[str] = ()) -> str:
    """Without folders outside of the system's own, addresses, and names of machines and users."""
    said = ADDRESS.sub("<address>", said)
    for folder in sorted({str(Path.home()), sys.prefix}, key=len, reverse=True):
        if len(Path(folder).parts) > 1:
            said = re.sub(rf"{re.escape(folder)}(?:/[\w.+@%-]*)*", "<path>", said)
    said = BELOW_HOME.sub("<path>", said)
    said = PATH.sub(lambda found: found.group() if found.group("first") in SYSTEM else "<path>", said)
    said = CARD.sub("<address>", said)
    for name in sorted({*names, *machine_names()}, key=len, reverse=True):
        said = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", "<machine>", said)
    return said


def machine_names() -> Set[str]:
    """Of this machine, and of those in boards.toml; a name that is a common word would take that out too."""
    found = {socket.gethostname(), platform.node()}
    for name, entry in boards.entries().items():
        found.add(name)
        host = (entry.docker or "").partition("://")[2].rpartition("@")[2].partition(":")[0].partition("/")[0]
        found |= {host, entry.context or ""}
    return {name for name in found if len(name) > 2 and name != "localhost"}
