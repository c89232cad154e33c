"""Holds our samples against trtexec's, figure by figure: which may be compared, by which rule, and how close is close.

The bar follows from how both measure, and no Jetson has confirmed it to this project yet.
"""

from typing import Callable, Dict, List, Sequence

import msgspec
import numpy

from harness.crosscheck import TrtexecOptions
from harness.host.crosscheck.exported import Exported
from harness.host.crosscheck.outcome import AGREES, DIFFERS, LAUNCH, Compared
from harness.host.stats import trtexec as theirs
from harness.records import Experiment, LatencySamples, Result, ThroughputSamples

DLA, PROFILE = "dla_core", "profile"
"""What the backend calls its build options that trtexec must be told of too."""
SHARE = 0.02
LEAST_NS = 2_000.0
"""Two events around an inference in either program, each known to about 500 ns (CUDA's cudaEventElapsedTime)."""
BAR = f"within {SHARE:.0%} or {LEAST_NS / 1000:g} us of our rounds"
Statistic = Callable[[Sequence[float]], float]


def options(experiment: Experiment) -> TrtexecOptions:
    """What trtexec must be told so that it does what our loop did."""
    inference, own = experiment.inference, experiment.build.options or {}
    core = own.get(DLA)
    return TrtexecOptions(
        iterations=inference.warmup + inference.iterations,
        overlap=inference.issue_mode == "throughput",
        managed_memory=inference.io_memory == "managed",
        cuda_graph=inference.cuda_graph is True,
        dla_core=core if isinstance(core, int) else None,
        shapes=_usual(str(own.get(PROFILE, ""))),
    )


def compare(
    results: Sequence[Result], exported: Exported, experiment: Experiment, did: TrtexecOptions
) -> List[Compared]:
    """`results` are the experiment's rounds that are ok, `exported` is without its warm-up, `did` what it really did.

    Device time alone is judged, and only where both programs did the same: every other figure is of two clocks, or of
    two spans.
    """
    latency = [one.samples for one in results if isinstance(one.samples, LatencySamples)]
    if not latency:
        together = [one.samples for one in results if isinstance(one.samples, ThroughputSamples)]
        return [_rate(together, exported, experiment.build.batch)]
    compute, enqueue = _ns(exported.column("compute_ms")), [one.enqueue_ns for one in latency]
    found: List[Compared] = []
    device = [one.device_ns for one in latency if one.device_ns is not None]
    if device:
        middle = _row("compute, on the device", "median", _median, device, compute)
        launch = max(_median(one) for one in enqueue)
        found.append(_judged(middle, launch) if comparable(experiment, did) else middle)
        found.append(_row("compute, on the device", "p99, by trtexec's rule", _p99_theirs, device, compute))
        found.append(_row("compute, on the device", "p99, type 7", _p99, device, compute))
    found.append(
        _row("compute, ours by the host's clock", "median", _median, [one.compute_ns for one in latency], compute)
    )
    h2d, d2h = _ns(exported.column("h2d_ms")), _ns(exported.column("d2h_ms"))
    found.append(_row("host to device", "median", _median, [one.h2d_ns for one in latency], h2d))
    found.append(_row("device to host", "median", _median, [one.d2h_ns for one in latency], d2h))
    found.append(_row("enqueue", "median", _median, enqueue, _ns(exported.enqueue_ms)))
    return found


def comparable(experiment: Experiment, did: TrtexecOptions) -> bool:
    """trtexec knows no mapped memory, and goes on without a graph that it could not capture."""
    return experiment.inference.io_memory != "mapped" and did == options(experiment)


def _usual(profile: str) -> Dict[str, str]:
    """The middle one of each input's shapes, which our runner takes: `input=LEAST:USUAL:LARGEST;...`."""
    found = {}
    for part in filter(None, profile.split(";")):
        name, _, shapes = part.partition("=")
        several = shapes.split(":")
        found[name.strip()] = several[len(several) // 2]
    return found


def _row(
    quantity: str, statistic: str, of: Statistic, rounds: Sequence[Sequence[int]], queries: Sequence[float]
) -> Compared:
    ours = sorted(of(one) for one in rounds)
    return Compared(
        quantity=quantity,
        statistic=statistic,
        unit="ns",
        ours=_median(ours),
        low=ours[0],
        high=ours[-1],
        theirs=of(queries),
    )


def _judged(row: Compared, launch_ns: float) -> Compared:
    """trtexec ran once, so it may lie anywhere between our rounds, or so much beside them.

    It sends an inference's kernels while the inputs are still being copied, and so finds them queued when its first
    event is reached. Ours are sent after that event: what the device waits for the first of them is in our time, and is
    no more than our enqueue.
    """
    slack = max(SHARE * row.theirs, LEAST_NS)
    if row.low - slack <= row.theirs <= row.high + slack:
        verdict = AGREES
    elif 0 < row.low - row.theirs <= slack + launch_ns:
        verdict = LAUNCH
    else:
        verdict = DIFFERS
    return msgspec.structs.replace(row, bar=BAR, verdict=verdict)


def _rate(rounds: Sequence[ThroughputSamples], exported: Exported, batch: int) -> Compared:
    """Of N inferences from the first transfer to the last, as both define it; a batch counts as its images."""
    ours = sorted(batch * one.count * 1e9 / one.span_ns for one in rounds)
    rate = batch * len(exported.queries) * 1e3 / exported.span_ms if exported.span_ms else 0.0
    return Compared(
        quantity="throughput",
        statistic="N over their span",
        unit="1/s",
        ours=_median(ours),
        low=ours[0],
        high=ours[-1],
        theirs=rate,
    )


def _ns(milliseconds: Sequence[float]) -> List[float]:
    return [one * 1e6 for one in milliseconds]


def _median(samples: Sequence[float]) -> float:
    return float(numpy.median(samples))


def _p99(samples: Sequence[float]) -> float:
    return float(numpy.percentile(samples, 99))


def _p99_theirs(samples: Sequence[float]) -> float:
    return theirs.percentile(samples, 99)
