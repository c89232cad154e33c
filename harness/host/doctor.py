"""Looks at what this machine offers, from interpreter to CPU governor; each finding says what to do about it."""

import importlib.metadata
import shutil
import sys
from pathlib import Path
from typing import List, NamedTuple, Optional

from harness import backends, cpu
from harness.host import setup
from harness.host.board import LocalBoard
from harness.host.launch.ask import ask
from harness.jobs import Failure, ProbeJob
from harness.records import Machine

PACKAGES = ("msgspec", "numpy", "onnx", "scipy", "jinja2", "matplotlib")
LEAST_FREE_BYTES = 2_000_000_000


class Finding(NamedTuple):
    state: str
    """`ok`, `note` (works, but know this) or `bad` (something will not work)."""
    name: str
    text: str


def findings(results: Path) -> List[Finding]:
    return [
        interpreter(),
        packages(),
        *runtimes(results),
        linker(),
        disk(results),
        threads(),
        governor(),
    ]


def interpreter() -> Finding:
    version = "{}.{}.{}".format(*sys.version_info[:3])
    if sys.version_info >= (3, 14):
        return Finding("note", "interpreter", f"Python {version}; 3.8 to 3.13 are tested")
    return Finding("ok", "interpreter", f"Python {version}")


def packages() -> Finding:
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            return Finding("bad", "wheels", f"{name} is not installed; any `make` target but clean installs it")
    return Finding("ok", "wheels", ", ".join(versions))


def runtimes(results: Path) -> List[Finding]:
    """Asked in a worker, as a bench would."""
    machine, _ = ask(LocalBoard(results / ".work"), "probe", ProbeJob(backends=backends.names()), Machine, 300)
    if isinstance(machine, Failure):
        return [Finding("bad", "runtimes", machine.reason)]
    return [
        Finding("ok", name, f"{facts.version}, compiles for {facts.architecture}")
        if facts.available
        else Finding("note", name, f"skipped: {facts.reason}")
        for name, facts in sorted(machine.backends.items())
    ]


def linker() -> Finding:
    for name in setup.LINKERS:
        found = shutil.which(name)
        if found:
            return Finding("ok", "linker", found)
    problems = [("no linker", 2)]
    return Finding("note", "linker", f"no C++ linker: TVM's cells will be skipped; {setup.cure(problems)}")


def disk(results: Path) -> Finding:
    results.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(str(results)).free
    state = "ok" if free >= LEAST_FREE_BYTES else "bad"
    return Finding(state, "disk", f"{free / 1e9:.1f} GB free for results and models (2 GB are enough)")


def threads() -> Finding:
    return Finding("ok", "threads", f"{cpu.allowed_threads()} allowed on {cpu.model()}")


def governor(root: Path = Path("/")) -> Finding:
    text = _governor(root)
    if text is None:
        return Finding("note", "CPU governor", "not readable here (virtual machine or container): clocks are unknown")
    if text != "performance":
        advice = "clocks follow the load, so times spread; `sudo cpupower frequency-set -g performance` settles them"
        return Finding("note", "CPU governor", f"{text}: {advice}")
    return Finding("ok", "CPU governor", text)


def _governor(root: Path) -> Optional[str]:
    try:
        return (root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").read_text().strip()
    except OSError:
        return None
