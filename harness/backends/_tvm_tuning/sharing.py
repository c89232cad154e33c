"""Who gets which of this machine's cores while it tunes: the search, the builders and what is measured."""

import os
from typing import List

from harness.backends._tvm_target import Target
from harness.backends._tvm_tuning.local_meter import LocalMeter, Where


def cores() -> List[int]:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def apart(threads: int, available: int) -> bool:
    """Whether what is measured gets cores of its own: only where building keeps most of them.

    On two cores taking turns gives more trials, since both then build, and better times, since nobody else uses the
    memory meanwhile.
    """
    return available - threads >= max(3, 2 * threads)


def local_meter(target: Target, threads: int) -> LocalMeter:
    """For the device that `target` is of, on this machine."""
    if target.kind == "cuda":
        return LocalMeter(Where("cuda", 0, 1), overlaps=True)
    there = cores()
    own = apart(threads, len(there))
    return LocalMeter(Where("cpu", 0, threads, there[-threads:] if own else ()), overlaps=own)


def builders(kind: str, threads: int, overlaps: bool) -> int:
    """How many processes build; where they do not take turns with the measuring, the search keeps a core too."""
    there = len(cores())
    if not overlaps:
        return there
    return max(1, there - 1 - (threads if kind == "llvm" else 1))
