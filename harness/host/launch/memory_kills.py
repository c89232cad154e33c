"""The kernel's own word on whether it ended a process for memory; an exit status of 137 alone is never that word."""

from pathlib import Path
from typing import Dict

Counts = Dict[str, int]
"""Where it was read to how many processes the kernel says it ended for memory."""


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
