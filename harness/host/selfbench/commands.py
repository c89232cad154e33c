"""How long whole commands take when there is nothing, or very much, to do: each in a process of its own."""

import os
import shutil
import subprocess
import sys
import time
from typing import Dict, List

import numpy

from harness.errors import LaunchError
from harness.host.options import ROOT
from harness.host.selfbench.figure import Figure
from harness.host.selfbench.ground import Place, ground
from harness.host.selfbench.many import write_many
from harness.host.selfbench.many_runs import BACKENDS, MODEL, ROUNDS, write_runs

TIMES = 5
FILES = 1000
RUNS = 5000


def nothing_to_build(place: Place) -> Figure:
    """`build-engines` of the default plan when every engine is there."""
    words = ["build-engines", "--results", str(place.results), "--models-dir", str(place.models_dir)]
    _timed(words)  # builds
    attempts = [_timed(words) for _ in range(TIMES)]
    middle = float(numpy.median([one["seconds"] for one in attempts]))
    what = f"build-engines with nothing to do, default plan, median of {TIMES}"
    return Figure(part="build", what=what, value=middle, unit="s", bar="<= 2", reached=middle <= 2, attempts=attempts)


def large_report(place: Place) -> List[Figure]:
    """`report` over a run of a thousand result files of a hundred iterations."""
    folder = write_many(place.results, ground(place, "null", "yolov5n@32"), FILES)
    attempt = _timed(["report", "--run", folder.name, "--results", str(folder.parent)])
    what = f"report over {FILES} result files of 100 iterations"
    seconds, megabytes = attempt["seconds"], attempt["megabytes"]
    return [
        Figure(part="report", what=f"{what}: time", value=seconds, unit="s", bar="<= 10", reached=seconds <= 10),
        Figure(
            part="report", what=f"{what}: memory", value=megabytes, unit="MB", bar="<= 400", reached=megabytes <= 400
        ),
    ]


def long_history(place: Place) -> List[Figure]:
    """`history` of two backends over thousands of runs: the first call, which reads all of them, and those after it."""
    folder = write_runs(place.results, RUNS)
    words = ["history", "--results", str(folder), "--model", MODEL, "--backends", "onnxruntime,tvm", "--threshold", "1"]
    first = _timed(words)
    attempts = [_timed(words) for _ in range(TIMES)]
    shutil.rmtree(str(folder.parent))
    middle = float(numpy.median([one["seconds"] for one in attempts]))
    megabytes = max(one["megabytes"] for one in [first, *attempts])
    what = f"history over {RUNS} runs, {2 * RUNS} points of two backends"
    return [
        Figure(
            part="history",
            what=f"{what}: a query after the first, the whole command, median of {TIMES}",
            value=middle,
            unit="s",
            bar="<= 2",
            reached=middle <= 2,
            attempts=attempts,
        ),
        Figure(
            part="history",
            what=f"{what}: the first, which reads {RUNS * ROUNDS * len(BACKENDS)} result files",
            value=first["seconds"],
            unit="s",
            bar="<= 300",
            reached=first["seconds"] <= 300,
        ),
        Figure(
            part="history", what=f"{what}: memory", value=megabytes, unit="MB", bar="<= 400", reached=megabytes <= 400
        ),
    ]


def _timed(words: List[str]) -> Dict[str, float]:
    """Wall time, and the most memory the process had at once (not that of its children)."""
    start = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", *words],
        cwd=str(ROOT),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    said = process.stderr.read().decode("utf-8", "replace")
    process.stderr.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status  # reaped here, for its memory; Popen must not wait for it again
    if status != 0:
        raise LaunchError(f"selfbench: {words[0]} ended with status {status >> 8}: {said.strip()[-300:]}")
    return {"seconds": round(time.monotonic() - start, 3), "megabytes": round(usage.ru_maxrss / 1000, 1)}
