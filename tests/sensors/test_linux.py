"""What any Linux offers: on trees for what this machine lacks, and for real for what it has."""

import os
import time
from pathlib import Path

import pytest

from harness.sensors import linux, state
from harness.sensors.channel import Absent
from harness.sensors.tree import Tree
from tests import sysfs
from tests.sensors.test_jetson import sensors

RAPL = "sys/class/powercap/intel-rapl:0"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A laptop: two packages' worth of RAPL, turbo, thermal throttle counters."""
    for path, value in {
        "proc/stat": "cpu  100 10 50 1000 5 3 2 40 0 0\\ncpu0 1 1 1 1 1 1 1 1 0 0",
        "proc/7/stat": "7 (a (odd) name) S 1 1 1 0 -1 0 0 0 0 0 250 50 0 0 20 0 1 0 5 0 0",
        "proc/meminfo": "MemTotal: 8000 kB\\nMemAvailable:    4000 kB",
        "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "3400000",
        "sys/devices/system/cpu/cpufreq/policy0/scaling_min_freq": "800000",
        "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq": "4700000",
        "sys/devices/system/cpu/cpufreq/policy0/base_frequency": "2800000",
        "sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "powersave",
        "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "17",
        "sys/class/thermal/thermal_zone0/type": "x86_pkg_temp",
        "sys/class/thermal/thermal_zone0/temp": "61000",
        "sys/class/thermal/thermal_zone1/type": "x86_pkg_temp",
        "sys/class/thermal/thermal_zone1/temp": "59000",
        "sys/class/thermal/cooling_device0/type": "Processor",
        "sys/class/thermal/cooling_device0/cur_state": "0",
        "sys/class/thermal/cooling_device1/type": "Fan",
        "sys/class/thermal/cooling_device1/cur_state": "3",
        f"{RAPL}/name": "package-0",
        f"{RAPL}/energy_uj": "262143000000",
        f"{RAPL}/max_energy_range_uj": "262143328850",
        f"{RAPL}:0/name": "core",
        f"{RAPL}:0/energy_uj": "5",
        f"{RAPL}:0/max_energy_range_uj": "262143328850",
    }.items():
        sysfs.put(tmp_path, path, value)
    return Tree(tmp_path)


def test_units_are_those_of_the_channel(tree: Tree) -> None:
    found = sensors(linux.offer(tree, 7))
    values = {name: one.read() for name, one in found.items() if name != "cpu_time/sampler"}
    assert values == {
        "clock/cpu0": 3.4e9,
        "cap/cpu0": 4.7e9,
        "temperature/x86_pkg_temp": 61000,
        "temperature/x86_pkg_temp-1": 59000,
        "cooling/Processor": 0,
        "throttle_events/cpu0": 17,
        "cpu_time/all": pytest.approx(165 / linux.TICKS_S),
        "cpu_time/stolen": pytest.approx(40 / linux.TICKS_S),
        "cpu_time/worker": pytest.approx(300 / linux.TICKS_S),
        "memory/available": 4000 * 1024,
        "energy/package-0": 262143000000,
        "energy/core-0": 5,
    }
    assert found["energy/package-0"].wraps_at == 262143328850


def test_the_total_is_the_packages_alone(tree: Tree) -> None:
    assert linux.total(list(sensors(linux.offer(tree, 7)))).names == ["energy/package-0"]
    assert linux.total(["temperature/x"]) == ([], "")


def test_a_counter_that_only_root_may_read_is_absent_with_the_cure(tree: Tree) -> None:
    sysfs.put(tree.root, f"{RAPL}/energy_uj", "!error")
    [absent] = [one for one in linux.offer(tree, 7) if isinstance(one, Absent)]
    assert absent.name == "energy/package-0"
    assert "chmod a+r" in absent.reason
    assert linux.total(list(sensors(linux.offer(tree, 7)))).names == []


def test_what_a_machine_lacks_is_absent_with_a_reason(tmp_path: Path) -> None:
    absent = {one.name: one.reason for one in linux.offer(Tree(tmp_path), 7) if isinstance(one, Absent)}
    assert set(absent) == {"clock/cpu", "temperature/cpu", "energy/package-0"}
    assert all(absent.values())


def test_a_clock_that_follows_the_load_is_not_held_and_a_governor_of_performance_is(tree: Tree) -> None:
    assert state.read(tree).locked is False
    sysfs.put(tree.root, "sys/devices/system/cpu/cpufreq/policy0/scaling_governor", "performance")
    found = state.read(tree)
    assert found.locked is True
    assert (found.clocks[0].base_hz, found.clocks[0].max_hz) == (2800000000, 4700000000)
    assert state.read(Tree(tree.root / "nowhere")).locked is None


def test_trip_points_of_two_zones_that_are_called_alike_stay_with_their_own(tree: Tree) -> None:
    for number, at in ((0, 95_000), (1, 60_000)):
        zone = f"sys/class/thermal/thermal_zone{number}"
        sysfs.put(tree.root, f"{zone}/trip_point_0_type", "passive")
        sysfs.put(tree.root, f"{zone}/trip_point_0_temp", at)
    assert state.read(tree).trips_mc == {"x86_pkg_temp": {"passive": 95_000}, "x86_pkg_temp-1": {"passive": 60_000}}


@pytest.mark.parametrize("text", ["garbage", "12 34", "", "0x10", "nan", "1e999", "12.5.1"])
def test_garbage_is_no_number(text: str, tree: Tree) -> None:
    sysfs.put(tree.root, "sys/class/thermal/thermal_zone0/temp", text)
    with pytest.raises(ValueError, match=r"no number|is empty"):
        sensors(linux.offer(tree, 7))["temperature/x86_pkg_temp"].read()


def test_this_machine_for_real() -> None:
    found = sensors(linux.offer(Tree(Path("/")), os.getpid()))
    assert 1 << 20 < found["memory/available"].read() < 1 << 50
    before = [found[f"cpu_time/{name}"].read() for name in ("worker", "sampler", "all")]
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    worker, sampler, everyone = (
        found[f"cpu_time/{name}"].read() - old for name, old in zip(("worker", "sampler", "all"), before)
    )
    assert 0.15 <= worker <= 0.5, "it is this very process"
    assert worker == pytest.approx(sampler, abs=0.05)
    assert everyone >= worker - 0.05
