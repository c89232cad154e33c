"""A run that fills every part of a report: builds, throughput, unfinished, verdicts, shortfalls, hostile names."""

from pathlib import Path
from typing import List

from harness.records import Cause, Channel, Result, Telemetry, Verdict
from tests import example_run
from tests.example_run import ended, experiment, rated, result

HOSTILE = '<script src="http://example.org/x.js">alert(1)</script> ![x](http://example.org/x.png) a | b'
SHORT = ["2 of 20 warm-ups in a budget of 3 s", "10 of 100 iterations in a budget of 3 s"]


def limited(share: float) -> Verdict:
    trip = Cause(
        code="trip point",
        weight="LIMITED",
        reason="temperature/gpu-thermal reached 96 degrees Celsius; its active trip point is 95",
        advice="cool it better, wait until it has cooled down, or choose a lower power mode (make lock)",
        share=share,
    )
    free = Cause(code="clocks not locked", weight="NOTE", reason="nothing tells whether cpu0 is held")
    return Verdict(verdict="LIMITED", causes=[trip, free])


def results() -> List[Result]:
    """TensorRT built twice and hot, TVM shortened and once crashed, ONNX Runtime with one thread and two, and rates."""
    found: List[Result] = []
    absent = Channel(name="energy/package-0", what="energy", unit="uJ", source="sys", reason="no RAPL here")
    watched = Telemetry(interval_s=0.1, sweeps=9, largest_gap_s=0.1, channels=[absent])
    fast = {"issue_mode": "throughput"}
    for number in range(1, 6):
        for build in (1, 2):
            one = experiment("tensorrt", build_number=build)
            hot = {"hardware": limited(number / 10), "integrity": Verdict(verdict="VALID"), "telemetry": watched}
            found.append(result(one, number, 5 + build / 10 + (-1) ** number / 5, **hot))
        found.append(result(experiment("null"), number))
        found += [result(experiment("onnxruntime", threads=count), number, 24 / (1 + count)) for count in (1, 2)]
        tvm = experiment("tvm")
        found.append(result(tvm, number, deviations=SHORT) if number < 5 else ended(tvm, 5, "crashed", HOSTILE))
        found.append(rated(experiment("onnxruntime", inference=fast), number, 200 + number))
        found.append(rated(experiment("tvm", inference=fast), number, 190 - number))
        if number < 4:
            found.append(ended(experiment("tvm", batch=8), number, "skipped", "no memory for it"))
    return found


def write(folder: Path) -> Path:
    ended_ = results()
    return example_run.write(folder, ended_, list(dict.fromkeys(one.experiment for one in ended_)), title=HOSTILE)
