"""Our compute time over the runtime's own, for TVM and ONNX Runtime."""

from typing import Dict, List

import numpy

from harness.errors import LaunchError
from harness.host import machines
from harness.host.board import LocalBoard
from harness.host.launch.ask import ask
from harness.host.matrix import HOST
from harness.host.selfbench.figure import Figure
from harness.host.selfbench.ground import Place, ground
from harness.host.stats.percentiles import bound
from harness.jobs import Failure, Pairs, PairsJob

MODELS = {"tvm": "yolov5n@32", "onnxruntime": "yolov5n@96"}
"""Sizes whose engines take 1 to 20 ms with one thread."""
ON_DEVICE = {"tvm": "yolov5s@640"}
"""The same on a GPU, where what takes less is a queue that the host cannot fill."""
AGAINST = {"tvm": "time_evaluator(number=1, repeat=1)", "onnxruntime": "a bare run_with_iobinding"}
PAIRS, ATTEMPTS, LIMIT_S = 600, 3, 600.0
LOW, HIGH = 0.99, 1.01
SCALE = 10**9
"""Ratios as whole numbers of billionths, which order statistics are taken of."""


def clock(place: Place, backend: str) -> Figure:
    """Up to three attempts, all reported; the last decides."""
    work = place.results / ".work"
    memory = machines.probe(work, [backend], LocalBoard(work), trust_known=True).backends[backend].io_memory
    on_device = backend in ON_DEVICE and bool(memory) and memory[0] != HOST
    stand = ground(place, backend, (ON_DEVICE if on_device else MODELS)[backend])
    where = ""
    attempts: List[Dict[str, float]] = []
    while len(attempts) < ATTEMPTS:
        job = PairsJob(
            engine_dir=str(stand.engine_dir),
            backend=backend,
            inference=stand.experiment.inference,
            arrays=str(stand.arrays),
            arrays_sha256=stand.reference.arrays_sha256,
            pairs=PAIRS,
            seed=len(attempts) + 1,
        )
        answer, _ = ask(LocalBoard(place.results / ".work"), "pairs", job, Pairs, LIMIT_S)
        if isinstance(answer, Failure):
            raise LaunchError(f"selfbench: {backend}: {answer.reason}")
        where = "device" if answer.on_device else "compute"
        attempts.append(judge(answer))
        if attempts[-1]["low"] >= LOW and attempts[-1]["high"] <= HIGH:
            break
    last = attempts[-1]
    return Figure(
        part=backend,
        what=f"median of our {where} time over {AGAINST[backend]}, 1 thread, {last['bare_ms']:.3g} ms, {PAIRS} pairs",
        value=last["median"],
        unit="ratio",
        bar=f"95 % interval inside {LOW} to {HIGH}; it is {last['low']:.4f} to {last['high']:.4f}",
        reached=last["low"] >= LOW and last["high"] <= HIGH,
        attempts=attempts,
    )


def judge(pairs: Pairs) -> Dict[str, float]:
    """Median of the paired ratios and its 95 % interval by order statistics."""
    ratios = numpy.asarray(pairs.ours_ns, float) / numpy.asarray(pairs.bare_ns, float)
    low, high = bound([round(one * SCALE) for one in ratios], 50)
    return {
        "median": float(numpy.median(ratios)),
        "low": (low or 0.0) / SCALE,
        "high": (high or float("inf")) / SCALE,
        "bare_ms": float(numpy.median(pairs.bare_ns)) / 1e6,
        "pairs": float(len(ratios)),
    }
