"""NVML for real: the sampler beside a loaded GPU, its channels, what it costs, and energy by counter and by power."""

from pathlib import Path
from typing import Dict

import msgspec
import pytest

from harness.backends._contract import Feed, Runner
from harness.device import Device
from harness.host import readings
from harness.host.stats import energy
from harness.records import InferenceOptions, Result, Telemetry
from harness.worker import verdicts
from harness.worker.measure import measure
from harness.worker.settle import settle
from harness.worker.watch import Watch
from tests.example_run import experiment
from tests.gpu.figures import Figures
from tests.gpu.kernels import Kernels
from tests.test_measure import FEED

MS = 1_000_000
INFERENCE = InferenceOptions(threads=1, warmup=20, iterations=100, io_memory="pinned", min_seconds=5.0)


class Spinning(Runner):
    """Keeps the GPU awake for 10 ms an inference."""

    def __init__(self, device: Device, kernels: Kernels) -> None:
        self._stream, self._clock, self._kernels = device.stream(), device.buffer("mapped", 16), kernels

    def set_inputs(self, feed: Feed, slot: int = 0) -> None:
        pass

    def enqueue(self, slot: int = 0) -> None:
        self._kernels.spin(self._stream, 10 * MS, self._clock.address)

    def synchronize(self, slot: int = 0) -> None:
        self._stream.synchronize()

    def get_outputs(self, slot: int = 0) -> Feed:
        return {}


def test_a_loaded_gpu_is_watched_and_its_energy_told(
    device: Device, kernels: Kernels, binding: str, figures: Figures, tmp_path: Path
) -> None:
    pytest.importorskip("pynvml", reason="the package nvidia-ml-py is not installed")
    runner = Spinning(device, kernels)
    with Watch(tmp_path, INFERENCE) as watch:
        watch.rest()
        settled = settle(runner, FEED, watch, INFERENCE)
        measured = measure(runner, FEED, INFERENCE)
        watch.end()
    found = verdicts.of(measured, INFERENCE, watch, settled, wrong="", clocks="")
    telemetry: Telemetry = found["telemetry"]
    columns = readings.load(telemetry, tmp_path)
    for name in ("power/gpu", "clock/gpu", "temperature/gpu", "reasons/gpu", "memory/gpu", "processes/gpu"):
        channel = telemetry.channel(name)
        assert channel is not None and channel.coverage == 1.0, channel
        span = [float(columns[name].value.min()), float(columns[name].value.max()), channel.update_s or 0.0]
        figures.add(binding, f"{name}: least, most ({channel.unit}), seconds between changes", span)
    assert columns["processes/gpu"].value[-1] == 0, "nobody else's, or this machine is not ours alone"
    assert columns["clock/gpu"].value.min() > 0
    assert found["integrity"].verdict == "VALID"
    figures.add(binding, f"hardware: {found['hardware'].verdict}", [len(found["hardware"].causes)])
    for cause in found["hardware"].causes:
        figures.add(binding, f"  {cause.weight} {cause.code}: {cause.reason}", [cause.share or 0.0])
    assert telemetry.cost is not None
    figures.add(binding, "the sampler's part of a processor, %", [100 * telemetry.cost.cpu_s / telemetry.cost.wall_s])
    joules: Dict[str, float] = {}
    for name in ("energy/gpu", "power/gpu"):
        if name not in columns:
            continue
        alone = msgspec.structs.replace(telemetry, total=[name])
        cell = Result(
            experiment=experiment("onnxruntime"), round=1, status="ok", samples=measured.samples, telemetry=alone
        )
        told = energy.of_cell(cell, columns)
        assert isinstance(told, energy.Energy), told
        joules[name] = told.gross_j
        row = [told.gross_j, told.gross_u_j, told.above_idle_j or 0.0, told.above_idle_u_j or 0.0, told.idle_w or 0.0]
        figures.add(binding, f"{name}: joules an inference, +-, above idle, +-; watts at rest", row)
    if len(joules) == 2:
        assert joules["energy/gpu"] == pytest.approx(joules["power/gpu"], rel=0.15), "two ways to one number"
