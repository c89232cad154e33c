"""A/A on this machine: one engine under two names, in real processes. Whoever calls them different is wrong."""

from typing import Dict, List, Optional

from scipy import stats

from harness.errors import LaunchError
from harness.host import resume, runs
from harness.host.progress import duration
from harness.host.report.collect import rows
from harness.host.report.compare import comparisons
from harness.host.runs import RunData
from harness.host.selfbench.checkout import Checkout, with_backend
from harness.host.selfbench.figure import Figure
from harness.host.selfbench.ground import Place
from harness.host.stats.ratio import Ratio

TWIN = '''"""ONNX Runtime under another name, and the very engine file that was built under the first.

(The runtime writes a graph that it optimised in another order each time.)
"""

import shutil
from pathlib import Path

from harness.backends import onnxruntime

ENGINES = Path(__file__).parents[3] / "engines"


class Backend(onnxruntime.Backend):
    def build(self, materials, options, engine_dir):
        built = super().build(materials, options, engine_dir)
        (first,) = ENGINES.glob("*/" + onnxruntime.ENGINE)
        shutil.copy(str(first), str(engine_dir / onnxruntime.ENGINE))
        return built
'''
TRIES, ROUNDS, MOST_WRONG = 60, 5, 6
TRY_S = 12.0
"""What a try takes on two quiet cores: 15 cells, 5 of them of the floor, and a start."""
MODEL = "yolov5n@160"
"""Some milliseconds an inference: a cell of half a second is not all inside one burst of a neighbour's."""
DIFFERENT = ("more time", "less time")


def twins(place: Place) -> Figure:
    """60 runs of 5 rounds; at most 6 may call the two different."""
    checkout = ready(place)
    done = len(ended(checkout))
    place.progress.line(
        f"selfbench twins: {TRIES} tries of {ROUNDS} rounds, about {duration(TRY_S)} each; {done} are there, "
        f"about {duration((TRIES - done) * TRY_S)} to go (interrupted, it goes on from there)"
    )
    attempts: List[Dict[str, float]] = []
    for number in range(1, TRIES + 1):
        with place.progress.step(f"selfbench twins, try {number} of {TRIES}"):
            data = checkout.bench(_name(number), _words(number))
        check_twins(data)
        attempts.append(attempt(compared(data)))
    wrong = sum(int(one["different"]) for one in attempts)
    low, high = clopper_pearson(wrong, TRIES)
    return Figure(
        part="twins",
        what=f"one ONNX Runtime engine under two names called different, {TRIES} real runs of {ROUNDS} rounds",
        value=wrong / TRIES,
        unit="share",
        bar=f"at most {MOST_WRONG} of {TRIES}; {wrong} were, 95 % interval {low:.1%} to {high:.1%} (Clopper-Pearson)",
        reached=wrong <= MOST_WRONG,
        attempts=attempts,
    )


def check_twins(data: RunData) -> None:
    """Raises LaunchError where the two are not one engine."""
    files = [one.files_sha256 for one in data.engines.values() if one.computes]
    if len(files) != 2 or files[0] != files[1]:
        raise LaunchError(f"selfbench: {data.run.name}: the two engines are not the same bytes: {files}")


def ready(place: Place) -> Checkout:
    return with_backend(place, "twin", TWIN)


def ended(checkout: Checkout) -> List[RunData]:
    """The tries that have ended, in their order."""
    folders = (checkout.results / _name(number) for number in range(1, TRIES + 1))
    there = [folder for folder in folders if (folder / "run.json").exists() and not resume.unfinished(folder, None)]
    return [runs.load_one(folder) for folder in there]


def compared(data: RunData) -> Optional[Ratio]:
    """The one comparison of the run's report; None where its cells left nothing to compare."""
    one = comparisons(rows(data), "onnxruntime", data.pilot)
    return one[0].ratio if one else None


def attempt(value: Optional[Ratio]) -> Dict[str, float]:
    if value is None or value.low is None or value.high is None:
        return {"different": 0.0, "rounds": float(value.rounds if value is not None else 0)}
    return {
        "ratio": round(value.value, 5),
        "low": round(value.low, 5),
        "high": round(value.high, 5),
        "rounds": float(value.rounds),
        "different": float(value.verdict in DIFFERENT),
    }


def clopper_pearson(count: int, tries: int, confidence: float = 0.95) -> "tuple[float, float]":
    """Exact interval of a share. Source: Clopper and Pearson, Biometrika 26 (1934)."""
    tail = (1 - confidence) / 2
    low = float(stats.beta.ppf(tail, count, tries - count + 1)) if count else 0.0
    return low, float(stats.beta.isf(tail, count + 1, tries - count)) if count < tries else 1.0


def _name(number: int) -> str:
    return f"try-{number:02d}"


def _words(number: int) -> List[str]:
    words = ["--plan", "demo", "--model", MODEL, "--backends", "onnxruntime,twin", "--threads", "1"]
    words += ["--rounds", str(ROUNDS), "--warmup", "20", "--iterations", "100", "--max-seconds", "10"]
    return [*words, "--baseline", "onnxruntime", "--seed", str(number)]
