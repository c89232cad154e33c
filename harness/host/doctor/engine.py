"""Looks at a board's Docker engine: whether it answers, how old it is, and whether it can reach a GPU."""

from typing import Any, Dict, List, Optional, Tuple

from packaging.version import InvalidVersion, Version

from harness.errors import HarnessError
from harness.host.containers.daemon import Daemon
from harness.host.doctor.finding import Finding

OLDEST = Version("19.03")
"""Device requests, and an archive call that a read-only root allows on volumes."""
INSTALL = (
    "sudo apt-get install nvidia-container-toolkit && sudo nvidia-ctk runtime configure --runtime=docker && "
    "sudo systemctl restart docker"
)


def look(daemon: Daemon, l4t: Optional[str], needed: bool) -> Tuple[Optional[Dict[str, Any]], List[Finding]]:
    """What the engine tells of itself, None where it does not answer; `needed` where measuring needs containers."""
    try:
        info = daemon.info()
    except HarnessError as error:
        if needed:
            return None, [Finding.problem("docker", str(error))]
        return None, [Finding.note("docker", f"{error}. Measuring here without a container goes on")]
    return info, findings(info, l4t)


def findings(info: Dict[str, Any], l4t: Optional[str]) -> List[Finding]:
    return [version(info), runtime(info, l4t), limits(info, l4t)]


def version(info: Dict[str, Any]) -> Finding:
    told = str(info.get("ServerVersion", ""))
    text = f"engine {told or 'of unknown version'}, {info.get('OSType', '?')}/{info.get('Architecture', '?')}"
    try:
        old = Version(told.partition("+")[0].partition("-")[0]) < OLDEST
    except InvalidVersion:
        return Finding.note("docker", f"{text}; {OLDEST} or newer is needed")
    if old:
        return Finding.problem("docker", f"{text}; {OLDEST} or newer is needed", "sudo apt-get install docker.io")
    return Finding.ok("docker", text)


def runtime(info: Dict[str, Any], l4t: Optional[str]) -> Finding:
    there = sorted(info.get("Runtimes") or {})
    if "nvidia" in there:
        default = ", the default" if info.get("DefaultRuntime") == "nvidia" else ""
        return Finding.ok("nvidia runtime", f"registered{default}")
    text = f"the engine knows {', '.join(there) or 'no runtimes'}"
    if l4t is None:
        return Finding.note("nvidia runtime", f"{text}: containers measure on the CPU, unless a GPU has a driver here")
    return Finding.problem("nvidia runtime", f"{text}: no container can reach the GPU", INSTALL)


def limits(info: Dict[str, Any], l4t: Optional[str]) -> Finding:
    if info.get("MemoryLimit") is False:
        return Finding.note(
            "memory limit",
            "the kernel lets Docker limit no memory: a cell that takes all of it may stop the board",
            "boot with cgroup_enable=memory",
        )
    share = "" if l4t is None else "; on a Jetson it covers what the CPU takes, not what the GPU's driver does"
    return Finding.ok("memory limit", f"the engine can set one{share}")
