"""A run on a made-up Orin NX that grows too hot: readings lie beside its results as a sampler and a worker leave them.

Rails, zones and clocks are called as in `tests/sysfs/orin-nx.txt`; the verdicts are those that the real rules draw.
"""

from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import msgspec

from harness import upgrades
from harness.host import runs
from harness.records import BoardState, Channel, ClockLimits, Experiment, InferenceOptions, Machine, Result, Telemetry
from harness.sensors import series
from harness.sensors.hardware import hardware
from harness.sensors.integrity import integrity
from harness.sensors.seen import Seen
from harness.sensors.series import Column, Series
from tests import example_run
from tests.example_run import experiment, result
from tests.sensors.scene import samples

CAP, FALLEN = 918_000_000, 408_000_000
HOT_MC = 99_000
EVERY_S, BEFORE_S, AFTER_S, IDLE_S = 0.1, 4.0, 0.5, (-3.6, -1.4)
STATE = BoardState(
    power_mode="25W (3)",
    clocks=[
        ClockLimits(name="gpu", min_hz=CAP, max_hz=CAP, highest_hz=CAP, mode_hz=CAP),
        ClockLimits(name="cpu0", min_hz=1_497_600_000, max_hz=1_497_600_000),
    ],
    locked=True,
    trips_mc={"gpu": {"passive": HOT_MC, "critical": 104_500}},
)
CHANNELS = {
    "power/VDD_IN": "mW",
    "power/VDD_CPU_GPU_CV": "mW",
    "clock/gpu": "Hz",
    "clock/cpu0": "Hz",
    "temperature/gpu": "mC",
    "temperature/cpu": "mC",
    "cooling/gpu-throttle-alert": "steps",
}
ABSENT = Channel(
    name="fan/rpm", what="speed of the fan", unit="1/min", source="sys/class/hwmon", reason="no hwmon device is a fan"
)
TRT, ORT, TVM = (
    experiment(name, threads=2, inference={"io_memory": "pinned", "min_seconds": 8.0, "max_seconds": 60.0})
    for name in ("tensorrt", "onnxruntime", "tvm")
)
EACH_MS = {"tensorrt": 4.0, "onnxruntime": 9.0, "tvm": 12.0}
LOAD_MW = {"tensorrt": 17_000, "onnxruntime": 15_000, "tvm": 14_000}


def cell(one: Experiment, number: int, folder: Path, hot_at_s: float = 1e9, seconds: float = 8.0) -> Result:
    """From `hot_at_s` on the GPU's clock is held down: iterations take longer and less power.

    `folder` is the run's; the readings are written into it.
    """
    backend = one.build.backend
    taken = samples(_durations(EACH_MS[backend], hot_at_s, seconds))
    span_s = (taken.start_ns[-1] + taken.total_ns()[-1]) / 1e9
    moments = [at * EVERY_S - BEFORE_S + 0.013 for at in range(int((span_s + BEFORE_S + AFTER_S) / EVERY_S))]
    columns = {name: _column(name, moments, LOAD_MW[backend], hot_at_s, span_s, number) for name in CHANNELS}
    sweeps = [round(at * 1e9) - 500_000 for at in moments]
    telling = Series(sweeps, columns)
    where = runs.result_path(folder, one, number).parent
    where.mkdir(parents=True, exist_ok=True)
    arrays, sha256 = series.save(telling, where)
    telemetry = Telemetry(
        interval_s=EVERY_S,
        sweeps=len(sweeps),
        largest_gap_s=EVERY_S,
        channels=[*(_channel(name, columns[name]) for name in CHANNELS), ABSENT],
        total=["power/VDD_IN"],
        total_means="the module's input, rail VDD_IN",
        before=STATE,
        after=STATE,
        idle_ns=[round(at * 1e9) for at in IDLE_S],
        arrays=arrays,
        arrays_sha256=sha256,
    )
    inference = InferenceOptions(threads=2, io_memory="pinned", iterations=len(taken.start_ns))
    return result(
        one,
        number,
        samples=taken,
        telemetry=telemetry,
        integrity=integrity(taken, inference, telemetry, telling),
        hardware=hardware(Seen(taken, inference, telemetry, telling, 8)),
        io_bytes=1_640_000,
        peak_rss_bytes=900_000_000 + number * 1_000_000,
    )


def write(folder: Path, hot: Sequence[Tuple[str, int, float]] = (("tvm", 2, 5.0), ("tvm", 3, 1.5))) -> Path:
    """Three rounds of TensorRT, ONNX Runtime and TVM; `hot` are backend, round and seconds until it is throttled."""
    when: Dict[Tuple[str, int], float] = {(backend, number): at for backend, number, at in hot}
    found: List[Result] = [
        cell(one, number, folder, when.get((one.build.backend, number), 1e9))
        for one in (TRT, ORT, TVM)
        for number in (1, 2, 3)
    ]
    example_run.write(folder, found, [TRT, ORT, TVM], rounds=3)
    path = folder / "local" / "machine.json"
    machine = msgspec.structs.replace(
        upgrades.read(path, Machine), l4t="36.4.3", module="Orin NX 16GB", power_mode="25W (3)", architecture="aarch64"
    )
    upgrades.write(path, machine)
    return folder


def _durations(each_ms: float, hot_at_s: float, seconds: float) -> List[float]:
    """With a spread of 1 %, in no order that a test of ranks would take for one."""
    found: List[float] = []
    at = 0.0
    while at < seconds:
        slow = CAP / FALLEN if at >= hot_at_s else 1.0
        found.append(each_ms * slow * (1 + ((len(found) * 7919) % 101 - 50) / 5000))
        at += found[-1] / 1e3
    return found


def _column(name: str, moments: Sequence[float], load_mw: float, hot_at_s: float, span_s: float, number: int) -> Column:
    kind, _, of = name.partition("/")
    values: List[float] = []
    for index, at in enumerate(moments):
        busy, hot, flicker = -1 <= at <= span_s, hot_at_s <= at <= span_s, index * 37 % 11 - 5
        if kind == "power":
            part = 1.0 if of == "VDD_IN" else 0.6
            values.append(part * ((load_mw * (0.6 if hot else 1.0) if busy else 5_000) + 20 * flicker))
        elif kind == "clock":
            values.append(1_497_600_000 if of == "cpu0" else FALLEN if hot else CAP)
        elif kind == "temperature":
            warm = HOT_MC + 400 if hot else min(HOT_MC - 200, 70_000 + 8_000 * number + 3_000 * max(0.0, at))
            values.append((warm if hot_at_s < 1e9 else 60_000 + 1_000 * number) + 40 * flicker - (of == "cpu") * 3_000)
        else:
            values.append(1.0 if hot else 0.0)
    return Column([round(at * 1e9) for at in moments], values)


def _channel(name: str, column: Column) -> Channel:
    return Channel(
        name=name,
        what=name.replace("/", " of "),
        unit=CHANNELS[name],
        source="sys/class",
        readings=len(column.t_ns),
        coverage=1.0,
        update_s=series.update_s(column),
    )
