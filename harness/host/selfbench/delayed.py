"""A runner that is slower by a known time, in real processes: does a report find it, and by how much?"""

import math
from typing import Dict, List

import numpy

from harness.host.progress import duration
from harness.host.report.collect import Row, rows
from harness.host.runs import RunData
from harness.host.selfbench import twins
from harness.host.selfbench.checkout import Checkout, with_backend
from harness.host.selfbench.figure import Figure
from harness.host.selfbench.ground import Place

SLOWER = '''"""ONNX Runtime whose every inference ends later by a known time: what a report must find.

It contains a clock, as no backend may: it is no backend of the harness but lies in a copy of it that selfbench made.
"""

import time
from pathlib import Path

from harness.backends import onnxruntime

NOTE = Path(__file__).with_suffix(".ns")
DELAY_NS = int(NOTE.read_text()) if NOTE.exists() else 0


class Runner(onnxruntime.Runner):
    def __init__(self, loaded):
        vars(self).update(vars(loaded))  # its session and buffers

    def synchronize(self, slot=0):
        super().synchronize(slot)
        end = time.perf_counter_ns() + DELAY_NS
        while time.perf_counter_ns() < end:
            pass


class Backend(onnxruntime.Backend):
    def load(self, engine_dir, inference):
        return Runner(super().load(engine_dir, inference))
'''
TRIES, LEAST_FOUND, LEAST_COVERED = 10, 9, 8
SHARE, WIDTH = 0.10, "5%,5m"
"""The delay, of the time without it; a half-width of half of that shows it."""
TRY_S = 30.0


def delayed(place: Place) -> Figure:
    checkout = with_backend(place, "slower", SLOWER)
    delay_ns = _delay(checkout)
    place.progress.line(
        f"selfbench delayed: {TRIES} tries of at least 11 rounds with UNTIL={WIDTH}, {delay_ns / 1e3:.0f} us slower, "
        f"about {duration(TRIES * TRY_S)} on a quiet machine (interrupted, it goes on from there)"
    )
    attempts = []
    for number in range(1, TRIES + 1):
        with place.progress.step(f"selfbench delayed, try {number} of {TRIES}"):
            words = [*_words("onnxruntime,slower", number), "--rounds", "8", "--until", WIDTH]
            attempts.append(judge(checkout.bench(f"try-{number:02d}", words), delay_ns))
    found, covered = (int(sum(one[name] for one in attempts)) for name in ("found", "covered"))
    return Figure(
        part="delayed",
        what=f"an engine {delay_ns / 1e3:.0f} us ({SHARE:.0%}) slower called slower, {TRIES} real runs, UNTIL={WIDTH}",
        value=found / TRIES,
        unit="share",
        bar=f"at least {LEAST_FOUND} of {TRIES}, and the known ratio inside the 95 % interval in at least "
        f"{LEAST_COVERED}; found {found}, inside {covered}",
        reached=found >= LEAST_FOUND and covered >= LEAST_COVERED,
        attempts=attempts,
    )


def judge(data: RunData, delay_ns: int) -> Dict[str, float]:
    """The run's comparison against the ratio that the known time makes of the baseline's own times in that run."""
    value, base = twins.compared(data), _row(data)
    if value is None or value.low is None or value.high is None:
        return {"found": 0.0, "covered": 0.0, "rounds": 0.0}
    truth = math.exp(float(numpy.mean([math.log1p(delay_ns / each) for each in base.medians_ns.values()])))
    return {
        "truth": round(truth, 5),
        "ratio": round(value.value, 5),
        "low": round(value.low, 5),
        "high": round(value.high, 5),
        "rounds": float(value.rounds),
        "found": float(value.verdict == "more time"),
        "covered": float(value.low <= truth <= value.high),
    }


def _row(data: RunData) -> Row:
    return next(row for row in rows(data) if row.experiment.build.backend == "onnxruntime")


def _delay(checkout: Checkout) -> int:
    """A tenth of what the engine takes here without it; asked once, so that later tries have the same."""
    note = checkout.folder / "harness" / "backends" / "slower.ns"
    if not note.exists():
        base = _row(checkout.bench("without", [*_words("onnxruntime", 0), "--rounds", "5"]))
        note.write_text(str(round(SHARE * float(numpy.median(list(base.medians_ns.values()))))))
    return int(note.read_text())


def _words(backends: str, number: int) -> List[str]:
    words = ["--plan", "demo", "--model", twins.MODEL, "--backends", backends, "--threads", "1", "--seed", str(number)]
    return [*words, "--warmup", "20", "--iterations", "100", "--max-seconds", "10", "--baseline", "onnxruntime"]
