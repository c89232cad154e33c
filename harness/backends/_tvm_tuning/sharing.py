"""Who gets which of this machine's cores while it tunes: the search, the builders and what is measured."""

import os
from typing import List, Optional, Tuple

from harness.backends._tvm_target import Target, architecture_of, cuda_device, generic
from harness.backends._tvm_tuning import gpus
from harness.backends._tvm_tuning.gpus import Gpu
from harness.backends._tvm_tuning.local_meter import LocalMeter, Where

SEARCHING = {"cuda": 0.35, "llvm": 0.4}
"""Share of the cores that are not measured on, by the kind of target. For a CPU a candidate costs 0.2 s of CPU to build
and 0.1 s to think of; for CUDA it costs 0.4 s to think of, since most schedules fail there, and more to build: it goes
through CUDA's own compiler, too."""
GUIDED_SEARCHING = 0.15
"""The same where `guided.py` chooses: it makes only what it proposes."""
PROCESSORS = 16
"""Multiprocessors of a GPU that is not here, about: a Jetson's have 6 to 8 (Xavier, Orin NX and Nano), 16 (AGX Orin) or
20 (Thor)."""


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
    measured, _ = _split(threads)
    return LocalMeter(Where("cpu", 0, threads, measured), overlaps=bool(measured))


def rest(target: Target, threads: int) -> List[int]:
    """Cores that those who search and build are kept to, so that nobody computes on what is measured; none: on any."""
    return _split(threads)[1] if target.kind == "llvm" else []


def _split(threads: int) -> Tuple[List[int], List[int]]:
    """Cores of what is measured on a CPU, and of the others; none of either where they share all."""
    there = cores()
    return (there[-threads:], there[:-threads]) if apart(threads, len(there)) else ([], [])


def searchers(kind: str, threads: int, overlaps: bool, guided: bool) -> int:
    """How many processes think about tasks: where they take turns with the measuring, one for every two cores."""
    there = len(cores())
    share = GUIDED_SEARCHING if guided else SEARCHING[kind]
    # Two at least where there is room: a task that TVM's own search has to think about holds its process up.
    least = 2 if overlaps and there - threads > 2 else 1
    return max(least, round(share * (there - threads)) if overlaps else there // 2)


def searcher_threads(overlaps: bool) -> int:
    """That each of them may take: TVM's threads wait for the slowest, so that many small processes do more."""
    return 1 if overlaps else min(2, len(cores()))


def builders(kind: str, threads: int, overlaps: bool, guided: bool) -> int:
    """How many processes build."""
    there = len(cores())
    return max(1, there - threads - searchers(kind, threads, overlaps, guided)) if overlaps else there


def gpu(target: Target) -> Optional[Gpu]:
    """That is compiled for; None for a CPU."""
    if target.kind != "cuda":
        return None
    import tvm

    device = cuda_device()
    here = device is not None and architecture_of(device) == generic(target.architecture)
    return gpus.gpu(target.architecture, int(tvm.cuda(0).multi_processor_count) if here else PROCESSORS)
