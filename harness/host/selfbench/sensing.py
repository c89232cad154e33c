"""What the sampler costs: how much longer inferences take beside it, and what part of a processor it needs itself."""

from typing import Dict, List, Sequence, Tuple

import msgspec
import numpy
from scipy import stats

from harness.errors import LaunchError
from harness.host.board import LocalBoard
from harness.host.launch.ask import ask_with
from harness.host.readings import FOLDER
from harness.host.selfbench.figure import Figure
from harness.host.selfbench.ground import Place, ground
from harness.jobs import Beside, BesideJob, Failure

MODEL = "yolov5n@96"
"""1 to 20 ms with one thread."""
ROUNDS, PAIRS, BLOCK_S, ATTEMPTS, LIMIT_S = 40, 10, 0.2, 3, 600.0
"""Blocks of two sweeps each: on a shared machine blocks of a second differ by 10 % and more, whatever runs in them."""
LOW, HIGH, MOST_CPU = 0.98, 1.02, 0.02


def sensing(place: Place) -> List[Figure]:
    """Up to three attempts, all reported; the last decides."""
    stand = ground(place, "onnxruntime", MODEL)
    attempts: List[Dict[str, float]] = []
    while len(attempts) < ATTEMPTS:
        with LocalBoard(place.results / ".work").launch() as launcher:
            job = BesideJob(
                engine_dir=str(stand.engine_dir),
                backend="onnxruntime",
                inference=msgspec.structs.replace(stand.experiment.inference, warmup=100),
                arrays=str(stand.arrays),
                arrays_sha256=stand.reference.arrays_sha256,
                sensors=launcher.place(FOLDER),
                rounds=ROUNDS,
                pairs=PAIRS,
                block_s=BLOCK_S,
                seed=len(attempts) + 1,
            )
            answer, _ = ask_with(launcher, "beside", job, Beside, LIMIT_S)
        if isinstance(answer, Failure):
            raise LaunchError(f"selfbench: sensors: {answer.reason}")
        attempts.append(judge(answer))
        if _inside(attempts[-1]):
            break
    last = attempts[-1]
    what = f"1 thread, {last['ms']:.3g} ms, {ROUNDS} rounds of {PAIRS} times {BLOCK_S:g} s with and without"
    return [
        Figure(
            part="sensors",
            what=f"latency with the sampler over without, {what}",
            value=last["ratio"],
            unit="ratio",
            bar=f"95 % interval inside {LOW} to {HIGH}; it is {last['low']:.4f} to {last['high']:.4f}",
            reached=_inside(last),
            attempts=attempts,
        ),
        Figure(
            part="sensors",
            what=f"processor time of the sampler, {last['channels']:.0f} channels ten times a second",
            value=last["cpu_share"] * 100,
            unit="% of one processor",
            bar=f"<= {MOST_CPU * 100:g}",
            reached=last["cpu_share"] <= MOST_CPU,
            attempts=attempts,
        ),
    ]


def judge(found: Beside) -> Dict[str, float]:
    """Ratio of the rounds' medians, as every ratio of this harness is; that of means, which see one iteration of a
    hundred as well, stands beside it.
    """
    middle, low, high = _interval(found.median_with_ns, found.median_without_ns)
    mean, mean_low, mean_high = _interval(found.mean_with_ns, found.mean_without_ns)
    return {
        "ratio": middle,
        "low": low,
        "high": high,
        "ratio_of_means": mean,
        "low_of_means": mean_low,
        "high_of_means": mean_high,
        "ms": float(numpy.median(found.median_without_ns)) / 1e6,
        "cpu_share": found.cpu_share,
        "channels": float(found.channels),
        "rounds": float(len(found.mean_with_ns)),
    }


def _interval(with_ns: Sequence[float], without_ns: Sequence[float]) -> Tuple[float, float, float]:
    """Geometric mean of the rounds' ratios, and Student's t interval on their logs; a round is the unit."""
    logs = numpy.log(numpy.asarray(with_ns) / numpy.asarray(without_ns))
    reach = float(stats.t.ppf(0.975, len(logs) - 1)) * float(logs.std(ddof=1)) / len(logs) ** 0.5
    return tuple(float(numpy.exp(logs.mean() + part)) for part in (0.0, -reach, reach))  # type: ignore[return-value]


def _inside(attempt: Dict[str, float]) -> bool:
    return attempt["low"] >= LOW and attempt["high"] <= HIGH
