"""What TVM compiles for: the CUDA device where TVM reaches one, else this CPU, or what a plan names.

Names are TVM's own tags (`nvidia/jetson-agx-xavier`), CUDA architectures (`sm_87`) and LLVM CPU names (`znver3`); the
last one takes the CPU also where there is a GPU.
"""

import functools
import platform
import re
import shutil
from typing import Any, Dict, List, NamedTuple, Optional

from harness import cpu
from harness.backends._tvm_generation import generation
from harness.device import Presence, present
from harness.errors import Unsupported

LINKERS = ("g++", "clang++", "c++")
CUDA_ARCHITECTURE = re.compile(r"sm_\d+[a-z]?")


class Target(NamedTuple):
    """What an engine is compiled for."""

    tvm: Any
    """`tvm.target.Target`, its host included."""
    kind: str
    """`llvm` or `cuda`."""
    architecture: str
    """The CPU's LLVM name or the GPU's `sm_87`; a CUDA engine is checked by it when it is loaded."""
    machine: str
    """Of the host's side, as `uname -m` calls it."""
    linker: str


def cuda_device() -> Optional[Presence]:
    """The device that TVM reaches here, or None."""
    found = _present()
    if found is None:
        return None
    import tvm

    return found if tvm.cuda(0).exist else None


def words(name: Optional[str]) -> str:
    """What the target of that name is called in an engine's variant."""
    if name is not None:
        return name
    device = cuda_device()
    if device is not None:
        return architecture_of(device)
    return cpu_name() + (" (this TVM reaches no CUDA)" if _present() else "")


def architecture() -> str:
    """All that the default target depends on."""
    device = cuda_device()
    gpu = [] if device is None else ["cuda", architecture_of(device)]
    return " ".join([platform.machine(), cpu_name(), *_missing(), *gpu])


def targets() -> List[str]:
    """What tuning records call the default target here, then the generic ones that this CPU runs as well.

    Records of a GPU hold for its architecture, whatever CPU sits beside it.
    """
    device = cuda_device()
    return [architecture(), *cpu.levels()] if device is None else [architecture_of(device)]


def target(name: Optional[str]) -> Target:
    """Raises Unsupported where this machine cannot compile for it, ValueError where TVM does not know the name."""
    import tvm

    if name is not None and name in tvm.target.list_tags():
        named = tvm.target.Target(name)
        kind = named.kind.name
        if kind not in ("cuda", "llvm"):
            raise ValueError(f"target {name!r} is of kind {kind}; engines are run on CUDA devices and CPUs alone")
        if kind == "cuda" and named.host is None:
            named = tvm.target.Target(named, host=_cpu_target(None))
        return _of(named, str(named.attrs.get("arch" if kind == "cuda" else "mcpu", name)))
    if name is not None and CUDA_ARCHITECTURE.fullmatch(name):
        return _of(tvm.target.Target(generation().cuda_target(name), host=_cpu_target(None)), name)
    device = cuda_device()
    if name is None and device is not None:
        there = tvm.target.Target.from_device(tvm.cuda(0))
        return _of(tvm.target.Target(there, host=_cpu_target(None)), architecture_of(device))
    return _of(_cpu_target(name), name or cpu_name())


def _of(made: Any, architecture: str) -> Target:
    triple = str((made.host or made).attrs.get("mtriple", ""))
    machine = triple.partition("-")[0] or platform.machine()
    return Target(made, made.kind.name, architecture, machine, _linker(machine, triple))


def architecture_of(device: Presence) -> str:
    major, minor = device.compute_capability
    return f"sm_{major}{minor}"


def generic(architecture: str) -> str:
    """`sm_90` for `sm_90a`: what a device calls itself, with or without what no other architecture has."""
    return architecture.rstrip("af")


def check_here(what: str, machine: str, kind: str, architecture: str) -> None:
    """Raises Unsupported where `what`, compiled for that target, cannot run here.

    `sm_90a` runs on `sm_90` alone, as `sm_90` does: compiled kernels are for one architecture.
    """
    if machine != platform.machine():
        raise Unsupported(f"tvm: {what} is for a machine of {machine}, not for {platform.machine()}")
    if kind == "cuda":
        device = cuda_device()
        if device is None:
            raise Unsupported(f"tvm: {what} is for a CUDA device ({architecture}), and TVM reaches none here")
        here = architecture_of(device)
        if generic(architecture) != here:
            raise Unsupported(f"tvm: {what} is for {architecture}, the device here is {here} ({device.name})")
    elif architecture in cpu.LEVELS and architecture not in cpu.levels():
        raise Unsupported(f"tvm: {what} is for {architecture}, more than this CPU has")


@functools.lru_cache(maxsize=None)
def _present() -> Optional[Presence]:
    try:
        return present()
    except Unsupported:
        return None


def gpu_present() -> bool:
    """Whether the driver has a device, be it one that TVM reaches or not."""
    return _present() is not None


def cpu_name() -> str:
    from tvm.target import codegen

    return str(codegen.llvm_get_system_cpu())


def _cpu_target(name: Optional[str]) -> Any:
    import tvm
    from tvm.target import codegen

    # LLVM itself takes any name, prints a line and compiles for `generic`.
    if name is not None and name not in codegen.llvm_get_cpu_archlist(tvm.target.Target("llvm")):
        raise ValueError(f"no target {name!r}: it is no tag of TVM's, no sm_NN, and no CPU of {platform.machine()}'s")
    made: Dict[str, Any] = {"kind": "llvm", "mcpu": name or cpu_name()}
    if name is None and _missing():
        made["mattr"] = _missing()
    return tvm.target.Target(made)


def _missing() -> List[str]:
    """Vector extensions the CPU's name promises and this (often virtual) machine hides, as LLVM's `-feature`."""
    import tvm
    from tvm.target import codegen

    if platform.machine() != "x86_64":
        return []
    promised = codegen.llvm_get_cpu_features(tvm.target.Target({"kind": "llvm", "mcpu": cpu_name()}))
    there = {flag.replace("_", "") for flag in cpu.features().split()}
    wide = [name for name in promised if name.startswith(("avx", "amx", "fma", "f16c"))]
    return sorted(f"-{name}" for name in wide if name.replace("-", "").replace(".", "") not in there)


def _linker(machine: str, triple: str) -> str:
    if machine != platform.machine():
        if shutil.which(f"{triple}-g++") is None:
            raise Unsupported(f"TVM needs {triple}-g++ on the PATH to build for {machine} here: install g++-{triple}")
        return f"{triple}-g++"
    for name in LINKERS:
        if shutil.which(name):
            return name
    raise Unsupported(f"TVM needs a C++ linker ({', '.join(LINKERS)}), none is on the PATH: install g++")
