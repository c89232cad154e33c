"""How little a worker's container may do, and how it reaches a GPU where it needs one."""

from typing import Any, Dict, List, NamedTuple, Optional

from docker.types import DeviceRequest, LogConfig, Mount, Ulimit

from harness.errors import LaunchError
from harness.host.containers.pins import Pin

USER = 10001
"""Nobody's number on any board: owns the cell's volume and nothing else."""
PROCESSES = 512
TEMPORARY_BYTES = 512 << 20
L4T_VARIABLE = "HARNESS_L4T"
"""Tells a worker its board's L4T, which is part of a TensorRT engine's key and written where no container looks."""
LOG = LogConfig(type=LogConfig.types.JSON, config={"max-size": "2m", "max-file": "1"})


class Limits(NamedTuple):
    memory_bytes: Optional[int] = None
    """Of CPU memory; on a Jetson what the GPU takes through its driver is not counted by the kernel's limit."""
    processes: int = PROCESSES


def least(mounts: List[Mount], limits: Limits) -> Dict[str, Any]:
    """What every container of ours is created with: no network, no capabilities, nothing to write but the mounts."""
    memory = (
        {} if limits.memory_bytes is None else {"mem_limit": limits.memory_bytes, "memswap_limit": limits.memory_bytes}
    )
    return {
        "network_mode": "none",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "read_only": True,
        "tmpfs": {"/tmp": f"size={TEMPORARY_BYTES},mode=1777,exec"},
        "pids_limit": limits.processes,
        "oom_score_adj": 1000,  # where memory runs out, the worker goes first and not the desktop or the engine
        "ulimits": [Ulimit(name="core", soft=0, hard=0)],
        "log_config": LOG,
        "mounts": mounts,
        **memory,
    }


class GpuAccess(NamedTuple):
    options: Dict[str, Any]
    environment: Dict[str, str]
    words: str


def gpu(pin: Pin, info: Dict[str, Any], l4t: Optional[str], groups: List[int], board: str) -> GpuAccess:
    """Chosen by asking engine and host: the nvidia runtime on a Jetson, a device request on a discrete GPU.

    On a Jetson the runtime works in csv mode, where a device request is an error; the host's video and render groups
    let a process that is not root open the device files. A pin without CUDA asks for nothing.
    """
    if not pin.cuda:
        return GpuAccess({}, {}, "none")
    variables = {"NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_DRIVER_CAPABILITIES": "compute,utility"}
    if l4t is not None:
        if "nvidia" not in (info.get("Runtimes") or {}):
            raise LaunchError(
                f"board {board}: Docker has no runtime `nvidia`; install nvidia-container-toolkit there, then "
                "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker"
            )
        variables[L4T_VARIABLE] = l4t
        return GpuAccess({"runtime": "nvidia", "group_add": [str(one) for one in groups]}, variables, "runtime nvidia")
    request = DeviceRequest(count=-1, capabilities=[["gpu"]])
    return GpuAccess({"device_requests": [request]}, variables, "device request")
