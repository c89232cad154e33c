"""What the harness adds to a timed step, and how long a worker takes to its first sample: by the null backend."""

import time
from typing import List

import msgspec
import numpy

from harness.errors import LaunchError
from harness.host.board import LocalBoard
from harness.host.launch.ask import ask
from harness.host.selfbench.figure import Figure
from harness.host.selfbench.ground import Ground, Place, ground
from harness.jobs import BenchJob, Failure
from harness.records import LatencySamples, Result

ITERATIONS, STARTS = 20_000, 20


def _bench(place: Place, stand: Ground, iterations: int) -> Result:
    inference = msgspec.structs.replace(stand.experiment.inference, iterations=iterations)
    job = BenchJob(
        experiment=msgspec.structs.replace(stand.experiment, inference=inference),
        round=1,
        engine_dir=str(stand.engine_dir),
        ingredients=stand.ready.ingredients,
        arrays=str(stand.arrays),
        reference=stand.reference,
        tolerance=1.0,
    )
    answer, _ = ask(LocalBoard(place.results / ".work"), "bench", job, Result, 120)
    if isinstance(answer, Failure) or not isinstance(answer.samples, LatencySamples):
        raise LaunchError(f"selfbench: null: {answer.reason}")
    return answer


def steps(place: Place) -> List[Figure]:
    """Every step of every iteration is one timed step that did nothing."""
    samples = _bench(place, ground(place, "null", "yolov5n@32"), ITERATIONS).samples
    assert isinstance(samples, LatencySamples)
    added = numpy.array([*samples.h2d_ns, *samples.compute_ns, *samples.d2h_ns]) / 1e3
    middle, high = (float(numpy.percentile(added, one)) for one in (50, 99))
    what = f"harness time added per timed step, null backend, {len(added)} steps"
    return [
        Figure(part="null", what=f"{what}: median", value=middle, unit="us", bar="<= 1", reached=middle <= 1),
        Figure(part="null", what=f"{what}: P99", value=high, unit="us", bar="<= 5", reached=high <= 5),
    ]


def starts(place: Place) -> Figure:
    """From launching the process until it has ended, which is later than its first sample: an upper bound."""
    stand, seconds = ground(place, "null", "yolov5n@32"), []
    _bench(place, stand, 10)  # warms the file cache
    for _ in range(STARTS):
        start = time.monotonic()
        _bench(place, stand, 10)
        seconds.append(time.monotonic() - start)
    middle = float(numpy.median(seconds))
    return Figure(
        part="start",
        what=f"launch of a null worker until it has ended (its first sample is earlier), median of {STARTS}",
        value=middle,
        unit="s",
        bar="<= 0.4",
        reached=middle <= 0.4,
        attempts=[{"seconds": round(one, 4)} for one in seconds],
    )
