"""What every Linux tells: processor clocks and time, temperatures and what cools them, memory, RAPL's counters."""

import os
import re
import time
from pathlib import Path
from typing import Callable, Dict, List, Tuple

from harness.records import ClockLimits
from harness.sensors.channel import Absent, Offer, Sensor, Total
from harness.sensors.tree import Tree, number, text

MOST_CLOCKS = 16
"""On a server with hundreds of processors, sweeping all their clocks would take more than it tells."""
KHZ = 1000
OFF_MC = -200_000
"""A thermal zone that reads -256 degrees Celsius belongs to a part that is off."""
TICKS_S = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
ALERTS = re.compile(r".*throttle-alert|thermal-cpufreq-.*|cpufreq-.*|devfreq-.*|thermal-devfreq-.*|Processor")
"""Cooling devices that slow a processor down; fans cool without."""
COUNTER = 2.0**32


def offer(tree: Tree, worker: int) -> Offer:
    """`worker` is the process that is measured."""
    return [
        *_clocks(tree),
        *_temperatures(tree),
        *_throttling(tree),
        *_time(tree, worker),
        *_memory(tree),
        *_rapl(tree),
    ]


def total(names: List[str]) -> Total:
    """Of the machine as far as RAPL sees it: whole packages; their parts, and memory, are counted apart."""
    packages = [name for name in names if name.startswith("energy/package")]
    return Total(packages, "the processor packages by RAPL, without memory, disks and power supply" if packages else "")


def limits(tree: Tree) -> List[ClockLimits]:
    """Of the processors, one entry for those that share a clock."""
    found = []
    cpus = tree.path("sys/devices/system/cpu")
    boosts = (cpus / "cpufreq/boost").exists() or (cpus / "intel_pstate").exists()
    for path in _policies(tree):
        found.append(
            ClockLimits(
                name=_cpu(path),
                min_hz=tree.whole(path / "scaling_min_freq", KHZ),
                max_hz=tree.whole(path / "scaling_max_freq", KHZ),
                highest_hz=tree.whole(path / "cpuinfo_max_freq", KHZ),
                base_hz=tree.whole(path / "base_frequency", KHZ),
                boosts=boosts,
                governor=tree.text(path / "scaling_governor") or "",
            )
        )
    return found


def _policies(tree: Tree) -> List[Path]:
    return tree.glob("sys/devices/system/cpu/cpufreq/policy*")[:MOST_CLOCKS]


def _cpu(policy: Path) -> str:
    return f"cpu{policy.name[len('policy') :]}"


def _clocks(tree: Tree) -> Offer:
    found: Offer = []
    for policy in _policies(tree):
        shared = tree.text(policy / "related_cpus") or _cpu(policy)[len("cpu") :]
        files = (("clock", "scaling_cur_freq", "clock"), ("cap", "scaling_max_freq", "highest clock allowed"))
        for kind, file, what in files:
            path = policy / file
            read = _scaled(path, KHZ)
            found.append(Sensor(f"{kind}/{_cpu(policy)}", f"{what} of CPU {shared}", "Hz", tree.name(path), read))
    if found:
        return found
    path = tree.path("proc/cpuinfo")
    if "cpu MHz" in (tree.text(path) or ""):

        def fastest() -> float:
            return max(float(one) for one in re.findall(r"cpu MHz\s*:\s*([0-9.]+)", text(path))) * 1e6

        return [Sensor("clock/cpu", "clock of the fastest CPU, as the kernel tells it", "Hz", tree.name(path), fastest)]
    reason = "no cpufreq here (a virtual machine?), and /proc/cpuinfo names no clock"
    return [Absent("clock/cpu", "clock of the CPUs", "Hz", "sys/devices/system/cpu/cpufreq", reason)]


def zone_name(kind: str) -> str:
    """`GPU-therm` on JetPack 5 and `gpu-thermal` later are the same part."""
    return re.sub("-therm(al)?$", "", kind)


def zones(tree: Tree) -> Dict[str, Tuple[Path, str]]:
    """Every thermal zone's folder and the kernel's word for it, by the name that its channel and trip points have."""
    found: Dict[str, Tuple[Path, str]] = {}
    for zone in tree.glob("sys/class/thermal/thermal_zone*"):
        kind = tree.label(zone / "type") or zone.name
        name = zone_name(kind)
        if name in found:  # two sockets call theirs alike
            name = f"{name}-{zone.name[len('thermal_zone') :]}"
        found[name] = (zone, kind)
    return found


def _temperatures(tree: Tree) -> Offer:
    found: Offer = []
    for name, (zone, kind) in zones(tree).items():
        path = zone / "temp"
        found.append(Sensor(f"temperature/{name}", f"temperature of {kind}", "mC", tree.name(path), _temperature(path)))
    reason = "no thermal zone here (a virtual machine?)"
    return found or [Absent("temperature/cpu", "temperature", "mC", "sys/class/thermal", reason)]


def _temperature(path: Path) -> Callable[[], float]:
    def read() -> float:
        value = number(path)
        if value <= OFF_MC:
            raise ValueError(f"reads {value / 1000:.0f} degrees Celsius: the part is off")
        return value

    return read


def _throttling(tree: Tree) -> Offer:
    """What the kernel slows down for heat (0 is nothing), and what Intel's processors count of their own doing."""
    found: Offer = []
    for device in tree.glob("sys/class/thermal/cooling_device*"):
        kind = tree.label(device / "type")
        if ALERTS.fullmatch(kind):
            path, name = device / "cur_state", f"cooling/{kind}"
            if any(one.name == name for one in found):
                name = f"{name}-{device.name[len('cooling_device') :]}"
            found.append(Sensor(name, f"steps by which {kind} is slowed", "steps", tree.name(path), _scaled(path)))
    paths = tree.glob("sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/core_throttle_count")[:MOST_CLOCKS]
    for path in paths:
        cpu = path.parent.parent.name
        what = f"thermal throttle events of {cpu}"
        found.append(Sensor(f"throttle_events/{cpu}", what, "events", tree.name(path), _scaled(path), COUNTER))
    return found


def _time(tree: Tree, worker: int) -> Offer:
    """Processor time since the start, of everyone and of who is measured: the rest is somebody else's."""
    everyone, own = tree.path("proc/stat"), tree.path("proc", str(worker), "stat")

    def columns() -> List[int]:
        return [int(one) for one in text(everyone).split("\n", 1)[0].split()[1:]]

    def busy() -> float:
        user, nice, system, _, _, irq, soft = columns()[:7]
        return (user + nice + system + irq + soft) / TICKS_S

    def stolen() -> float:
        return columns()[7] / TICKS_S

    def measured() -> float:
        words = text(own).rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / TICKS_S

    return [
        Sensor("cpu_time/all", "processor time of every process", "s", tree.name(everyone), busy),
        Sensor(
            "cpu_time/stolen", "processor time that the hypervisor gave to others", "s", tree.name(everyone), stolen
        ),
        Sensor("cpu_time/worker", "processor time of the measured process", "s", "proc/self/stat", measured),
        Sensor("cpu_time/sampler", "processor time of the sampler itself", "s", "process_time", time.process_time),
    ]


def _memory(tree: Tree) -> Offer:
    path = tree.path("proc/meminfo")

    def available() -> float:
        found = re.search(r"^MemAvailable:\s*([0-9]+) kB", text(path), re.MULTILINE)
        if found is None:
            raise ValueError("names no MemAvailable")
        return int(found.group(1)) * 1024.0

    return [Sensor("memory/available", "memory that processes could still get", "bytes", tree.name(path), available)]


def _rapl(tree: Tree) -> Offer:
    """Running average power limit: counters of microjoules, which the kernel lets only root read since 2020."""
    found: Offer = []
    source = "sys/class/powercap"
    for domain in tree.glob(f"{source}/*-rapl:[0-9]*"):
        name = tree.label(domain / "name")
        wraps_at = tree.number(domain / "max_energy_range_uj")
        path = domain / "energy_uj"
        if not name or wraps_at is None:
            continue
        if domain.name.count(":") > 1:
            name = f"{name}-{domain.name.split(':')[1]}"  # a part of its package
        if tree.text(path) is None:
            reason = "may not be read by this user (chmod a+r as root, if you accept that it tells others your load)"
            found.append(Absent(f"energy/{name}", f"energy of {name}", "uJ", tree.name(path), reason))
        else:
            found.append(Sensor(f"energy/{name}", f"energy of {name}", "uJ", tree.name(path), _scaled(path), wraps_at))
    return found or [Absent("energy/package-0", "energy of the processor", "uJ", source, "no RAPL domain here")]


def _scaled(path: Path, factor: int = 1) -> Callable[[], float]:
    return lambda: number(path) * factor
