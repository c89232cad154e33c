"""A tuning job that is killed again and again with all its processes; what a witness saw measured must be in its log.

The witness sits where a measured time reaches the search and says so, to a pipe, before the search knows of it: so a
time that was received and is not in the log is seen to be lost, be it by microseconds.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import List, NamedTuple, Optional, Tuple

import msgspec

from harness import trials, upgrades
from harness.host.options import ROOT
from harness.host.selfbench.figure import Figure
from harness.host.selfbench.ground import Place
from harness.host.selfbench.tuning_ground import stand
from harness.jobs import TuneJob
from harness.records.tuning import Default, Trial

WITNESS = """
import os, sys
from pathlib import Path
from harness.backends._tvm_tuning import local_meter
from harness.backends._tvm_tuning.journal import nanoseconds
from harness.worker.__main__ import main

told = os.dup(1)
os.dup2(2, 1)
answers = local_meter.LocalMeter.answers

def witnessed(self, timeout_s):
    found = answers(self, timeout_s)
    for one in found:
        if one.times_s:
            os.write(told, (" ".join(map(repr, nanoseconds(one.times_s))) + "\\n").encode())
    return found

local_meter.LocalMeter.answers = witnessed
main("tune", Path(sys.argv[1]))
"""
START_LIMIT_S = 600.0
MODEL, KILLS, SEED, MOST_S = "yolov5n@32", 20, 1, 30.0
CHEAP = {"threads": 1, "seed": SEED, "strategy": "replay-trace", "cost_model": "random"}
Times = Tuple[float, ...]


class Kills(NamedTuple):
    """What a log has after its job was killed so often."""

    kills: int
    witnessed: int
    """Measured times that reached a search, of trials and of default schedules."""
    lost: int
    """Of them, those that the log does not have."""
    trials: int
    torn: List[str]
    """What was said of lines that a kill had torn."""


def kill_often(job: TuneJob, folder: Path, kills: int, seed: int, most_s: float) -> Kills:
    """Runs `job` and kills it `kills` times, each at a random moment up to `most_s` after its first measured time."""
    chance = random.Random(seed)
    seen: List[Times] = []
    torn: List[str] = []
    log = Path(job.log) / trials.LOG
    for number in range(kills):
        own = folder / f"{number}"
        own.mkdir(parents=True)
        upgrades.write(own / "job.json", msgspec.structs.replace(job, job=f"{number:012x}"))
        seen += _until_killed(own, chance.uniform(0.0, most_s))
        torn += trials.read(log).dropped
    found = trials.read(log)
    logged = {tuple(one.times_ns) for one in found.of(Trial)} | {tuple(one.times_ns) for one in found.of(Default)}
    lost = sum(times not in logged for times in seen)
    return Kills(kills, len(seen), lost, len(found.of(Trial)), torn)


def _until_killed(folder: Path, after_s: float) -> List[Times]:
    """What the witness saw, in nanoseconds."""
    process = subprocess.Popen(
        [sys.executable, "-c", WITNESS, str(folder)],
        cwd=str(ROOT),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout as said:
        os.set_blocking(said.fileno(), False)
        text, begun = b"", time.monotonic()
        kill_at: Optional[float] = None
        try:
            while process.poll() is None and time.monotonic() < (kill_at or begun + START_LIMIT_S):
                text += said.read() or b""
                if kill_at is None and b"\n" in text:
                    kill_at = time.monotonic() + after_s
                time.sleep(0.001)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        text += said.read() or b""
    return [tuple(float(one) for one in line.split()) for line in text.split(b"\n") if line]


def kills(place: Place) -> Figure:
    """Twenty kills of a job on a small model, its log gone on with each time."""
    with tempfile.TemporaryDirectory() as folder:
        found = kill_often(
            stand(place, MODEL, 1).job(Path(folder) / "log", trials=100_000, max_seconds=3600.0, **CHEAP),
            Path(folder),
            KILLS,
            SEED,
            MOST_S,
        )
    return Figure(
        part="tuning-kills",
        what=f"measured times lost over {KILLS} kill -9 of a tuning job's whole process group, {found.witnessed} seen",
        value=float(found.lost),
        unit="times",
        bar="0",
        reached=found.lost == 0 and found.witnessed >= KILLS,
        attempts=[{"trials": float(found.trials), "torn_lines": float(len(found.torn))}],
    )
