"""Sweeps over all channels, again and again, and writes what they say. Runs in a process of its own, at low priority.

A read that blocks is left behind (`patience.py`): it holds up the other channels once, for a moment, and nobody else.
"""

import math
import os
import resource
import time
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from harness import upgrades
from harness.records import SamplerCost
from harness.sensors import jetson, linux, nvml, state
from harness.sensors.channel import Absent, Offer, Sensor, Total
from harness.sensors.exchange import ENDED, LOG, STARTED, Ended, SamplerJob, Started
from harness.sensors.patience import Left, call_all
from harness.sensors.series import SWEEP, entry
from harness.sensors.tree import Tree, words

LIMIT_S = 0.5
"""Longest that one reading may take; I2C sensors need milliseconds."""
MOST_BLOCKS = 3
"""A channel that was given up on so often is not asked again, though it came back."""
NICENESS = 10
Stop = Callable[[float], bool]
"""Waits so many seconds at most; whether it is time to end."""


class Sampler:
    def __init__(self, sensors: Sequence[Sensor], limit_s: float = LIMIT_S) -> None:
        self.sensors, self._limit_s = sensors, limit_s
        self.reasons: Dict[str, str] = {}
        """Channel to the last reason why it gave no reading."""
        self.worst_sweep_s = 0.0
        self._left: Dict[int, Left] = {}
        self._blocks = [0] * len(sensors)

    def sweep(self) -> bytes:
        """One reading of every channel that answers, as entries of the log."""
        begin = time.perf_counter_ns()
        found: List[bytes] = [entry(SWEEP, begin, 0.0)]
        asked = [index for index in range(len(self.sensors)) if self._may_ask(index)]
        for left in call_all([self._reading(index, found) for index in asked], self._limit_s):
            index = asked[left.call]
            self._left[index] = left
            self._blocks[index] += 1
            self.reasons[self.sensors[index].name] = f"did not answer within {self._limit_s:g} s"
        self.worst_sweep_s = max(self.worst_sweep_s, (time.perf_counter_ns() - begin) / 1e9)
        return b"".join(found)

    def _may_ask(self, index: int) -> bool:
        left = self._left.get(index)
        if left is None:
            return True
        if not left.returned.is_set() or self._blocks[index] >= MOST_BLOCKS:
            return False
        del self._left[index]
        return True

    def _reading(self, index: int, into: List[bytes]) -> Callable[[], None]:
        sensor = self.sensors[index]

        def read() -> None:
            before, value = time.perf_counter_ns(), math.nan
            try:
                value = sensor.read()
            except Exception as error:  # of any kind: what one channel does must not end the others
                self.reasons[sensor.name] = words(error)
            into.append(entry(index, (before + time.perf_counter_ns()) // 2, value))

        return read


def run(folder: Path, job: SamplerJob, stop: Stop) -> None:
    """Samples until it is time to end; writes the records of `exchange.py`."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    tree = Tree(Path(job.root))
    offers, totals = offer(tree, job.worker)
    sensors = [one for one in offers if isinstance(one, Sensor)]
    channels = [one.channel() for one in sensors] + [one.channel() for one in offers if isinstance(one, Absent)]
    started_s = _cpu_s()
    upgrades.write(
        folder / STARTED,
        Started(
            channels=channels,
            present=len(sensors),
            totals={processor: one.names for processor, one in totals.items()},
            totals_mean={processor: one.means for processor, one in totals.items()},
            before=state.read(tree),
            start_cpu_s=started_s,
        ),
    )
    sampler, clocks = Sampler(sensors), _clocks()
    begin, begin_cpu_s = time.monotonic(), _cpu_s()
    with (folder / LOG).open("ab", buffering=0) as log:
        turn, ending = 0, False
        while True:
            log.write(sampler.sweep())
            if ending:
                break  # after one more sweep, so that the end of what is measured lies between two readings
            # The schedule is kept from the first sweep on; one that took longer than its turn skips what it missed.
            turn = max(turn + 1, int((time.monotonic() - begin) / job.interval_s))
            ending = stop(max(0.0, begin + turn * job.interval_s - time.monotonic()))
    cost = SamplerCost(
        cpu_s=round(_cpu_s() - begin_cpu_s, 6),
        wall_s=round(time.monotonic() - begin, 6),
        start_cpu_s=started_s,
        worst_sweep_s=round(sampler.worst_sweep_s, 6),
    )
    ended = Ended(after=state.read(tree), cost=cost, reasons=sampler.reasons, clock_ratio=_ratio(clocks, _clocks()))
    upgrades.write(folder / ENDED, ended)


def offer(tree: Tree, worker: int) -> Tuple[Offer, Dict[str, Total]]:
    """Everything that this machine may tell, and what adds up to the power of either processor."""
    found = linux.offer(tree, worker)
    if jetson.is_here(tree):
        found = _distinct(found + jetson.offer(tree))
        module = jetson.total(_names(found))
        return found, {"gpu": module, "cpu": module}
    found = _distinct(found + nvml.offer(worker))
    return found, {"gpu": nvml.total(_names(found)), "cpu": linux.total(_names(found))}


def _distinct(offers: Offer) -> Offer:
    """No name twice: the second of two rails with one label is `power/GPU-2`."""
    found: Offer = []
    times: Dict[str, int] = {}
    for one in offers:
        times[one.name] = times.get(one.name, 0) + 1
        found.append(one._replace(name=f"{one.name}-{times[one.name]}") if times[one.name] > 1 else one)
    return found


def _names(offers: Offer) -> List[str]:
    return [one.name for one in offers if isinstance(one, Sensor)]


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _clocks() -> Tuple[int, int]:
    raw = getattr(time, "CLOCK_MONOTONIC_RAW", None)
    return time.perf_counter_ns(), time.clock_gettime_ns(raw) if raw is not None else 0


def _ratio(before: Tuple[int, int], after: Tuple[int, int]) -> Optional[float]:
    """Of the samples' clock to the raw one; None where there is no raw one, or too little time to tell (0.1 s)."""
    ours, raw = after[0] - before[0], after[1] - before[1]
    return ours / raw if raw > 100_000_000 else None
