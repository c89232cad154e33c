"""Floor: what this machine's processor is and how much of it this process may use; the file system's root is given."""

import math
import os
import platform
from pathlib import Path
from typing import Dict, List, Optional


def allowed_threads(root: Path = Path("/")) -> int:
    """CPUs that affinity and the cgroup's quota leave to this process, at least 1."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup_quota(root)
    return max(1, min(count, math.floor(quota))) if quota is not None else count


def cgroup_quota(root: Path = Path("/")) -> Optional[float]:
    """CPUs' worth of time the cgroup allows, or None where there is no limit (cgroup v2, then v1)."""
    for name, own in _cgroup_folders(root):
        try:
            if name == "v2":
                quota, period = (own / "cpu.max").read_text().split()
            else:
                quota = (own / "cpu.cfs_quota_us").read_text().strip()
                period = (own / "cpu.cfs_period_us").read_text().strip()
            if quota not in ("max", "-1"):
                return int(quota) / int(period)
        except (OSError, ValueError):
            continue
    return None


def _cgroup_folders(root: Path):
    """This process's cgroup folder of each hierarchy that limits CPU time."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            # Inside a container the path is often relative to a root that is not mounted: then the mount is our own.
            for own in (root / "sys/fs/cgroup" / path.lstrip("/"), root / "sys/fs/cgroup"):
                yield "v2", own
        elif "cpu" in controllers.split(","):
            for own in (root / "sys/fs/cgroup/cpu" / path.lstrip("/"), root / "sys/fs/cgroup/cpu"):
                yield "v1", own


def model(root: Path = Path("/")) -> str:
    """The processor's name as the kernel tells it; on Arm, where there is none, implementer and part numbers."""
    facts = _cpuinfo(root)
    if "model name" in facts:
        return facts["model name"]
    if "CPU part" in facts:
        return f"Arm implementer {facts.get('CPU implementer', '?')} part {facts['CPU part']}"
    return platform.machine()


def features(root: Path = Path("/")) -> str:
    """Instruction-set flags, sorted: two machines with one text run the same code."""
    facts = _cpuinfo(root)
    return " ".join(sorted((facts.get("flags") or facts.get("Features") or "").split()))


LEVELS = {
    "x86-64-v2": "cx16 lahf_lm pni popcnt sse4_1 sse4_2 ssse3",
    "x86-64-v3": "abm avx avx2 bmi1 bmi2 f16c fma movbe xsave",
    "x86-64-v4": "avx512bw avx512cd avx512dq avx512f avx512vl",
}
"""What each level of x86-64 adds to the one before (psABI, table 3.1), in the kernel's words for it."""


def levels(root: Path = Path("/")) -> List[str]:
    """The levels of x86-64 that this processor has, the highest first; none on another architecture."""
    there = set(features(root).split())
    found: List[str] = []
    for name, needed in LEVELS.items():
        if not set(needed.split()) <= there:
            break
        found.insert(0, name)
    return found


def _cpuinfo(root: Path) -> Dict[str, str]:
    """The first processor's block of /proc/cpuinfo."""
    facts: Dict[str, str] = {}
    try:
        text = (root / "proc/cpuinfo").read_text()
    except OSError:
        return facts
    for line in text.split("\n\n")[0].splitlines():
        name, _, value = line.partition(":")
        facts[name.strip()] = value.strip()
    return facts
