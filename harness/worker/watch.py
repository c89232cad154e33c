"""The sampler beside this worker: starts it, looks at what it has written so far, ends it, and keeps its readings.

Nothing here reads a sensor, so that none can hold up a measurement. A sampler that does not start, dies or does not end
costs a cell its telemetry and, where nobody looked for long, its integrity; never its samples.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import List, Optional, Tuple, Type, TypeVar

import msgspec

from harness import upgrades
from harness.errors import RecordError
from harness.jobs import BenchJob
from harness.records import Channel, ClockLimits, InferenceOptions, Record, Telemetry
from harness.sensors import series
from harness.sensors.exchange import ENDED, JOB, LOG, STARTED, STOP, Ended, SamplerJob, Started
from harness.sensors.series import Column, Series

R = TypeVar("R", bound=Record)

START_LIMIT_S, END_LIMIT_S = 5.0, 3.0
IDLE_S = 2.0
"""How long a machine is watched at rest where energy is asked for: as long as the shortest integral may be."""
MOST_SWEEPS = 36_000
"""An hour at the default. A cell that may last longer is sampled less often: its file must stay one that is read."""


class Watch:
    def __init__(self, folder: Optional[Path], inference: InferenceOptions, root: Path = Path("/")) -> None:
        """`folder` is where to write; None, or an interval of 0, leaves the sensors alone."""
        interval_s = inference.sampling_interval_s
        self.asked = folder is not None and interval_s > 0
        self.interval_s = max(interval_s, (inference.max_seconds + inference.least_s) / MOST_SWEEPS)
        self.reason = ""
        self.idle_ns: List[int] = []
        self._folder, self._root, self._processor = folder or Path(), root, inference.processor
        self._process: "Optional[subprocess.Popen[bytes]]" = None
        self._started: Optional[Started] = None
        self._ended: Optional[Ended] = None

    def __enter__(self) -> "Watch":
        if self.asked:
            self._folder.mkdir(parents=True, exist_ok=True)
            job = SamplerJob(interval_s=self.interval_s, worker=os.getpid(), root=str(self._root))
            upgrades.write(self._folder / JOB, job)
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "harness.sensors", str(self._folder)], stdin=subprocess.PIPE
                )
            except OSError as error:  # no more processes, no memory
                self.reason = f"the sampler could not be started: {error.strerror}"
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def ready(self) -> Optional[Started]:
        """Waits for the first sweep; None where it does not come in time, with the reason kept."""
        if self._started is None and self._process is not None and not self.reason:
            limit = time.monotonic() + START_LIMIT_S
            while not _size(self._folder / LOG):
                code = self._process.poll()
                if code is not None or time.monotonic() > limit:
                    late = f"told nothing within {START_LIMIT_S:g} s"
                    self.reason = "the sampler " + (late if code is None else f"ended with status {code}")
                    return None
                time.sleep(0.002)
            self._started = self._record(STARTED, Started)
        return self._started

    def rest(self) -> None:
        """Watches the machine at rest, where there is something to tell its power by."""
        started = self.ready()
        if started is not None and started.totals.get(self._processor):
            begin = time.perf_counter_ns()
            time.sleep(IDLE_S)
            self.idle_ns = [begin, time.perf_counter_ns()]

    def pause(self) -> None:
        """The sampler takes nothing at all until `resume`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def clock(self) -> Optional[Tuple[Column, ClockLimits]]:
        """The fastest of the processor's clocks so far and its limits; None where there is none to wait for.

        A GPU's rises with its load, whether anybody tells what to expect of it or not (NVML does not). What a virtual
        machine says of its processors' clock never moves: without an expectation that is no clock.
        """
        started = self.ready()
        if started is None:
            return None
        limits = {
            one.name: one
            for one in started.before.clocks
            if one.name.startswith(self._processor) and (self._processor == "gpu" or one.expected_hz is not None)
        }
        columns = self._series(0).kind("clock")
        known = [(columns[f"clock/{name}"], limits[name]) for name in limits if f"clock/{name}" in columns]
        return max(known, key=lambda one: one[0].value[-1]) if known else None

    def end(self) -> None:
        """Asks for a last sweep and the sampler's end, and waits for it, but not for ever."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)  # it may be paused
        with contextlib.suppress(OSError):  # it has ended before
            process.stdin.write(STOP)
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            code = process.wait(END_LIMIT_S)
            if code:
                self.reason = self.reason or f"the sampler ended with status {code}"
        except subprocess.TimeoutExpired:
            process.kill()
            self.reason = "the sampler did not end"
            with contextlib.suppress(subprocess.TimeoutExpired):  # one that hangs in the kernel stays
                process.wait(0.1)
        self._started = self._started or self._record(STARTED, Started)
        self._ended = self._record(ENDED, Ended)
        if not _size(self._folder / LOG):
            self.reason = self.reason or "the sampler's log is gone"

    def telemetry(self, origin_ns: int, span_ns: int) -> Tuple[Optional[Telemetry], Series]:
        """What was seen, on the time axis of the iterations; once the sampler has ended."""
        if not self.asked:
            return None, Series([], {})
        found = self._series(origin_ns)
        gap_s = series.largest_gap_s(found.sweeps_ns, 0, span_ns)
        told = Telemetry(
            interval_s=self.interval_s,
            sweeps=len(found.sweeps_ns),
            largest_gap_s=gap_s,
            channels=[self._channel(one, found) for one in self._started.channels] if self._started else [],
            idle_ns=[at - origin_ns for at in self.idle_ns],
            reason=self.reason,
        )
        if self._started is not None:
            started = self._started
            total, means = started.totals.get(self._processor, []), started.totals_mean.get(self._processor, "")
            told = msgspec.structs.replace(told, total=total, total_means=means, before=started.before)
        if self._ended is not None:
            ended = self._ended
            told = msgspec.structs.replace(told, after=ended.after, cost=ended.cost, clock_ratio=ended.clock_ratio)
        if found.columns:
            name, sha256 = series.save(found, self._folder)
            told = msgspec.structs.replace(told, arrays=name, arrays_sha256=sha256)
        return told, found

    def _channel(self, channel: Channel, found: Series) -> Channel:
        column, sweeps = found.column(channel.name), len(found.sweeps_ns)
        reason = channel.reason
        if self._ended is not None and len(column.t_ns) < sweeps:
            reason = reason or self._ended.reasons.get(channel.name, "")
        return msgspec.structs.replace(
            channel,
            readings=len(column.t_ns),
            coverage=round(min(1.0, len(column.t_ns) / sweeps), 4) if sweeps else 0.0,
            update_s=series.update_s(column),
            reason=reason,
        )

    def _series(self, origin_ns: int) -> Series:
        if self._started is None:
            return Series([], {})
        return series.read(self._folder / LOG, [one.name for one in self._started.channels], origin_ns)

    def _record(self, name: str, kind: Type[R]) -> Optional[R]:
        try:
            return upgrades.read(self._folder / name, kind)
        except (OSError, RecordError) as error:
            self.reason = self.reason or f"the sampler's {name} cannot be read: {error}"
            return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def watching(job: BenchJob) -> Watch:
    return Watch(Path(job.sensors) if job.sensors is not None else None, job.experiment.inference)
