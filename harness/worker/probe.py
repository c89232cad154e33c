"""Asks the machine under test, and every backend on it, for their facts."""

import hashlib
import os
import platform
import time
from pathlib import Path
from typing import Optional

import harness
from harness import backends, cpu
from harness.device import present
from harness.errors import Unsupported
from harness.jobs import ProbeJob
from harness.records import BackendFacts, Machine


def probe(job: ProbeJob, root: Path = Path("/")) -> Machine:
    return Machine(
        board=job.board,
        system=_system(root),
        kernel=platform.release(),
        architecture=platform.machine(),
        cpu_model=cpu.model(root),
        logical_cpus=os.cpu_count() or 1,
        allowed_threads=cpu.allowed_threads(root),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        governor=_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        boot_id=_text(root / "proc/sys/kernel/random/boot_id"),
        python=platform.python_version(),
        harness_version=harness.__version__,
        harness_revision=revision(),
        backends={name: facts(name, job.known.get(name)) for name in job.backends},
        timer_step_ns=timer_step_ns(),
        cuda_device=cuda_device(),
    )


def facts(name: str, known: Optional[BackendFacts] = None) -> BackendFacts:
    backend = backends.get(name)
    identity = backend.identity()
    if known is not None and identity and known.identity == identity:
        return known
    try:
        return BackendFacts(
            available=True,
            version=backend.version(),
            architecture=backend.architecture(),
            precisions=sorted(backend.precisions),
            io_memory=backend.io_memory(),
            builds_vary=backend.builds_vary,
            targets=backend.targets(),
            identity=identity,
        )
    except Unsupported as error:
        return BackendFacts(available=False, reason=str(error))


def revision() -> str:
    """Hash of every source file of this package: tells two harnesses apart with or without git, committed or not."""
    package = Path(harness.__file__).resolve().parent
    total = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        total.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()[:12]


def cuda_device() -> Optional[str]:
    try:
        return str(present())
    except Unsupported:
        return None


def timer_step_ns() -> int:
    """Smallest step that the clock of every sample was seen to take here."""
    smallest = 0
    for _ in range(1000):
        start = now = time.perf_counter_ns()
        while now == start:
            now = time.perf_counter_ns()
        smallest = min(smallest or now - start, now - start)
    return smallest


def _system(root: Path) -> str:
    text = _text(root / "etc/os-release") or ""
    for line in text.splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return platform.system()


def _text(path: Path) -> Optional[str]:
    try:
        return path.read_text().strip() or None
    except OSError:
        return None
