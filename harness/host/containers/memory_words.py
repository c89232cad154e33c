"""Whether memory ended a container's worker: Docker's flag, the cgroup's counter, the kernel's log, a runtime's words.

In that order, and none of them is the exit status: 137 alone is anybody's SIGKILL.
"""

import re
import subprocess
from typing import Any, Callable, Dict, Optional

from harness.host.launch import memory_kills


def kernel_log_now() -> str:
    """Of this machine; empty where this user may not read it."""
    try:
        done = subprocess.run(["dmesg"], capture_output=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")


def said(
    state: Dict[str, Any],
    counted: Optional[bytes],
    limit_bytes: Optional[int],
    log: str,
    container: str,
    kernel_log: "Optional[Callable[[], str]]",
) -> str:
    """A clause that names who said so, with the figure and the limit where they are known; or nothing.

    `counted` is what the container kept of its cgroup's files, `container` its whole id, by which the kernel's log
    names the cgroup of a process that it ended (since Linux 5.0). `kernel_log` is None for a board elsewhere.
    """
    if state["ExitCode"] == 0:
        return ""
    found = re.findall(r"^(\w{1,40}) (\d{1,19})$", (counted or b"").decode("utf-8", "replace"), re.MULTILINE | re.ASCII)
    numbers = {name: int(number) for name, number in found}
    if state.get("OOMKilled"):
        who = "Docker's flag"
    elif numbers.get("oom_kill", 0) > 0:
        who = "the container's cgroup"
    elif kernel_log is not None and _names(kernel_log(), container):
        who = "the kernel's log"
    else:
        return memory_kills.said_by_runtime(log)
    peak = f", {numbers['peak'] / 1e6:.0f} MB taken" if "peak" in numbers else ""
    limit = f" of at most {limit_bytes / 1e6:.0f} MB of CPU memory" if limit_bytes is not None else ""
    return f"out of memory, said by {who}{peak}{limit}"


def _names(kernel_log: str, container: str) -> bool:
    """The victim's own cgroup, not that of whoever asked for memory (`cpuset=`)."""
    return re.search(rf"oom-kill:.*\btask_memcg=[^,]*{re.escape(container)}", kernel_log) is not None
