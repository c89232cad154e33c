"""Whether memory ended a container's worker: Docker's flag, the cgroup's counter, the kernel's log, a runtime's words.

In that order, and none of them is the exit status: 137 alone is anybody's SIGKILL.
"""

import re
import subprocess
from typing import Any, Callable, Dict, Optional

RUNTIME_WORDS = re.compile(r"NvMapMemAlloc\w*|cudaErrorMemoryAllocation|CUDA_ERROR_OUT_OF_MEMORY|std::bad_alloc")


def kernel_log_now() -> str:
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
    kernel_log: "Callable[[], str]" = kernel_log_now,
) -> str:
    """A clause that names who said so, with the figure and the limit where they are known; or nothing."""
    if state["ExitCode"] == 0:
        return ""
    numbers = dict(re.findall(r"^(\w+) (\d+)$", (counted or b"").decode("utf-8", "replace"), re.MULTILINE))
    if state.get("OOMKilled"):
        who = "Docker's flag"
    elif int(numbers.get("oom_kill", "0")) > 0:
        who = "the container's cgroup"
    elif state.get("Pid") and re.search(rf"Killed process {state['Pid']}\b", kernel_log()):
        who = "the kernel's log"
    else:
        word = RUNTIME_WORDS.search(log)
        return f"out of memory, said by the runtime: {word.group()}" if word else ""
    peak = f", {int(numbers['peak']) / 1e6:.0f} MB taken" if "peak" in numbers else ""
    limit = f" of at most {limit_bytes / 1e6:.0f} MB of CPU memory" if limit_bytes is not None else ""
    return f"out of memory, said by {who}{peak}{limit}"
