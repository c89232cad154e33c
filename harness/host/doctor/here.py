"""Looks at the machine that this command runs on: interpreter, packages, linker, disk, CPU."""

import importlib.metadata
import shutil
import sys
from pathlib import Path
from typing import List, Optional

from harness import cpu
from harness.host import setup
from harness.host.doctor.finding import Finding

PACKAGES = ("msgspec", "numpy", "onnx", "scipy", "jinja2", "matplotlib", "docker")
LEAST_FREE_BYTES = 2_000_000_000


def of_the_desk() -> List[Finding]:
    """What driving any board needs."""
    return [interpreter(), packages()]


def findings(results: Path) -> List[Finding]:
    """What measuring here needs too."""
    return [*of_the_desk(), linker(), disk(results), threads(), governor()]


def interpreter() -> Finding:
    version = "{}.{}.{}".format(*sys.version_info[:3])
    if sys.version_info >= (3, 14):
        return Finding.note("interpreter", f"Python {version}; 3.8 to 3.13 are tested")
    return Finding.ok("interpreter", f"Python {version}")


def packages() -> Finding:
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            return Finding.problem("wheels", f"{name} is not installed", "any make target but clean installs it")
    return Finding.ok("wheels", ", ".join(versions))


def linker() -> Finding:
    for name in setup.LINKERS:
        found = shutil.which(name)
        if found:
            return Finding.ok("linker", found)
    return Finding.note("linker", "no C++ linker: TVM's cells will be skipped", setup.cure([("no linker", 2)]))


def disk(results: Path) -> Finding:
    results.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(str(results)).free
    text = f"{free / 1e9:.1f} GB free for results and models (2 GB are enough)"
    if free < LEAST_FREE_BYTES:
        return Finding.problem("disk", text, "make room, or move the checkout to a larger disk")
    return Finding.ok("disk", text)


def threads() -> Finding:
    return Finding.ok("threads", f"{cpu.allowed_threads()} allowed on {cpu.model()}")


def governor(root: Path = Path("/")) -> Finding:
    text = _governor(root)
    if text is None:
        return Finding.note("CPU governor", "not readable here (virtual machine or container): clocks are unknown")
    if text != "performance":
        return Finding.note(
            "CPU governor",
            f"{text}: clocks follow the load, so times spread",
            "sudo cpupower frequency-set -g performance",
        )
    return Finding.ok("CPU governor", text)


def _governor(root: Path) -> Optional[str]:
    try:
        return (root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").read_text().strip()
    except OSError:
        return None
