"""Who says that memory ended a process: the kernel's counters or the runtime that asked; never a status of 137."""

import re
from pathlib import Path
from typing import Dict

Counts = Dict[str, int]
"""Where it was read to how many processes the kernel says it ended for memory."""

RUNTIME_WORDS = re.compile(
    r"NvMap\w*Alloc\w*|cudaErrorMemoryAllocation|CUDA_ERROR_OUT_OF_MEMORY|Cuda Runtime \(out of memory\)"
    r"|cuMemAlloc failed: out of memory|std::bad_alloc|^[\w.]*MemoryError\b",
    re.MULTILINE,
)
"""What the Tegra driver, CUDA, TensorRT, pycuda, C++ and Python print where an allocation is refused."""


def count(root: Path = Path("/")) -> Counts:
    """All counters readable now: our cgroup's (v2 or v1) and the whole system's."""
    found: Counts = {}
    for path in _cgroup_files(root):
        _read(path, "oom_kill", "cgroup", found)
    _read(root / "proc/vmstat", "oom_kill", "kernel", found)
    return found


def said_since(before: Counts, root: Path = Path("/")) -> str:
    """A clause naming the counter that moved, or nothing."""
    after = count(root)
    for name in ("cgroup", "kernel"):
        more = after.get(name, 0) - before.get(name, 0)
        if name in before and more > 0:
            whose = "this process's cgroup" if name == "cgroup" else "the whole system"
            return f"out of memory: the kernel counted {more} kill(s) for memory in {whose} meanwhile"
    return ""


def said_by_runtime(log: str) -> str:
    """A clause with the first of such words in what a worker printed, or nothing."""
    word = RUNTIME_WORDS.search(log)
    return f"out of memory, said by the runtime: {word.group()}" if word else ""


def _cgroup_files(root: Path):
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            yield root / "sys/fs/cgroup" / path.lstrip("/") / "memory.events"
        elif "memory" in controllers.split(","):
            yield root / "sys/fs/cgroup/memory" / path.lstrip("/") / "memory.oom_control"


def _read(path: Path, word: str, name: str, found: Counts) -> None:
    try:
        for line in path.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == word:
                found[name] = int(value)
    except (OSError, ValueError):
        pass  # a counter that cannot be read says nothing
