"""What a multiprocessor holds and does at once, by architecture: numbers of the CUDA C++ Programming Guide."""

from typing import NamedTuple

from harness.backends._tvm_target import generic


class Gpu(NamedTuple):
    """A GPU as its tile sizes are judged for."""

    processors: int
    """Multiprocessors."""
    warps: int = 48
    """That one of them holds at most."""
    blocks: int = 16
    """Likewise."""
    multiply_adds: float = 4.0
    """Of FP32, that one of them does in a cycle, in warps."""


KNOWN = {
    "sm_70": (64, 32, 2.0),
    "sm_72": (64, 32, 2.0),  # Jetson AGX Xavier, Xavier NX
    "sm_75": (32, 16, 2.0),
    "sm_80": (64, 32, 2.0),
    "sm_86": (48, 16, 4.0),
    "sm_87": (48, 16, 4.0),  # Jetson AGX Orin, Orin NX, Orin Nano
    "sm_89": (48, 24, 4.0),
    "sm_90": (64, 32, 4.0),
}


def gpu(architecture: str, processors: int) -> Gpu:
    """Of an architecture like `sm_87` or `sm_90a`; one that is not known is taken for a small one."""
    known = KNOWN.get(generic(architecture))
    return Gpu(processors) if known is None else Gpu(processors, *known)
