"""What a reader must know with the figures of a crosscheck: where two programs that agree still measure two things."""

from typing import List, Sequence

import numpy

from harness.crosscheck import TrtexecOptions
from harness.host.crosscheck.exported import Exported
from harness.host.report.wording import milliseconds
from harness.records import Experiment, LatencySamples, Result

ENQUEUE_BOUND = 0.8
"""Median enqueue over median compute from which trtexec itself warns."""


def of(exported: Exported, results: Sequence[Result], experiment: Experiment, did: TrtexecOptions) -> List[str]:
    found = []
    if did.overlap:
        found.append(
            "both keep two inferences under way, back to back, so neither's single times say anything: the rate alone "
            "is compared, and is not judged"
        )
    else:
        found += _of_latency(exported, results)
    if experiment.inference.io_memory == "mapped":
        found.append("our inputs and outputs lie in mapped host memory, which trtexec has not: it copies; not judged")
    if bool(experiment.inference.cuda_graph) != did.cuda_graph:
        found.append("one of the two ran with a CUDA graph, the other without: not judged")
    states = [one.telemetry.before for one in results if one.telemetry is not None and one.telemetry.before is not None]
    moving = [state.locked_reason for state in states if state.locked is not True]
    if moving:
        found.append(f"clocks were not known to be held for ours ({moving[0]}), so the two may differ by that alone")
    found.append(
        "trtexec feeds random numbers, ours are the reference's inputs: a network may take its time by its data"
    )
    return found


def _of_latency(exported: Exported, results: Sequence[Result]) -> List[str]:
    samples = [one.samples for one in results if isinstance(one.samples, LatencySamples)]
    seconds = exported.queries[-1].end_d2h_ms / 1e3
    found = [
        f"trtexec takes every moment as a float of ms since one start: after its {seconds:.3g} s that steps by "
        f"{exported.resolution_ms * 1e6:.0f} ns, and it exports six digits; ours are whole ns since each own start",
        "our transfers are whole calls on the host's clock, with the copy into pinned memory; trtexec's are the "
        "transfer alone, between two events",
        "our host compute holds the launch and the waking of the host too",
    ]
    if samples and all(one.device_ns is None for one in samples):
        found.append("this run has no times by the device's own clock, so nothing is judged")
    enqueue, compute = (float(numpy.median(one)) for one in (exported.enqueue_ms, exported.column("compute_ms")))
    if enqueue > ENQUEUE_BOUND * compute:
        found.append(
            f"bound by enqueue (trtexec's median {milliseconds(enqueue * 1e6)} ms of {milliseconds(compute * 1e6)} ms "
            "compute): the host's speed decides, and trtexec hides part of it behind its copy"
        )
    return found
