"""What each Jetson offers, on trees made from documented layouts: names, units, the total's rule, what is left out."""

from pathlib import Path
from typing import Dict, List, Tuple

import pytest

from harness.sensors import jetson, linux, power_mode, sampler, state
from harness.sensors.channel import Absent, Offer, Sensor
from harness.sensors.tree import Tree
from tests import sysfs

RAILS = {
    "agx-xavier": ["GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"],
    "orin-nx": ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"],
    "agx-orin": ["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"],
    "thor": ["VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0", "VIN"],
}


def board(name: str, tmp_path: Path) -> Tree:
    return Tree(sysfs.unfold(name, tmp_path))


def sensors(offers: Offer) -> Dict[str, Sensor]:
    return {one.name: one for one in offers if isinstance(one, Sensor)}


def of_kind(offers: Offer, kind: str) -> List[str]:
    return [name[len(kind) + 1 :] for name in sensors(offers) if name.startswith(f"{kind}/")]


@pytest.mark.parametrize("name", sysfs.BOARDS)
def test_rails_have_their_own_names_and_unconnected_ones_none(name: str, tmp_path: Path) -> None:
    assert of_kind(jetson.offer(board(name, tmp_path)), "power") == RAILS[name]


def test_two_rails_of_one_label_stay_apart(tmp_path: Path) -> None:
    tree = board("agx-xavier", tmp_path)
    sysfs.put(tmp_path, "sys/class/hwmon/hwmon2/in3_label", "GPU")
    offers, totals = sampler.offer(tree, 1)
    assert of_kind(offers, "power") == ["GPU", "CPU", "SOC", "CV", "VDDRQ", "GPU-2"]
    assert "power/GPU-2" in totals["gpu"].names


def test_power_is_millivolts_times_milliamperes_or_microwatts(tmp_path: Path) -> None:
    orin = sensors(jetson.offer(board("orin-nx", tmp_path / "nx")))["power/VDD_IN"]
    assert (orin.read(), orin.unit) == (pytest.approx(5056 * 1128 / 1000), "mW")
    thor = sensors(jetson.offer(board("thor", tmp_path / "thor")))
    assert thor["power/VIN"].read() == pytest.approx(23125)
    assert thor["power/VDD_GPU"].read() < 0, "an offset of the sensor is shown, not made 0"


@pytest.mark.parametrize(
    ("name", "rails", "words"),
    [
        ("agx-xavier", RAILS["agx-xavier"], "the sum of the module's rails (GPU, CPU, SOC, CV, VDDRQ, SYS5V)"),
        ("orin-nx", ["VDD_IN"], "the module's input, rail VDD_IN"),
        ("agx-orin", RAILS["agx-orin"], "this board measures no input"),
        ("thor", ["VIN"], "the module's input, rail VIN"),
    ],
)
def test_total_is_the_input_where_there_is_one_and_the_sum_elsewhere(
    name: str, rails: List[str], words: str, tmp_path: Path
) -> None:
    offers, totals = sampler.offer(board(name, tmp_path), 1)
    assert totals["gpu"].names == totals["cpu"].names == [f"power/{one}" for one in rails]
    assert words in totals["gpu"].means
    assert set(totals["gpu"].names) <= set(sensors(offers))


@pytest.mark.parametrize(
    ("name", "clock", "cap"),
    [
        ("agx-xavier", 1377e6, 1377e6),
        ("orin-nx", 612e6, 612e6),
        ("agx-orin", 0, 1300.5e6),
        ("thor", 1575e6, 1575e6),
    ],
)
def test_the_gpu_is_found_by_its_node_or_where_that_is_masked_by_its_folder(
    name: str, clock: float, cap: float, tmp_path: Path
) -> None:
    found = sensors(jetson.offer(board(name, tmp_path)))
    assert (found["clock/gpu"].read(), found["cap/gpu"].read()) == (clock, cap)
    assert "clock/gpu-1" not in found, "video engines have devfreq folders too"


@pytest.mark.parametrize(
    ("name", "counters"),
    [("agx-xavier", ["oc1", "oc2", "oc3", "oc4", "oc5", "oc6"]), ("orin-nx", ["oc1", "oc2", "oc3"]), ("thor", [])],
)
def test_over_current_counters_by_either_name(name: str, counters: List[str], tmp_path: Path) -> None:
    offers = jetson.offer(board(name, tmp_path))
    assert of_kind(offers, "over_current") == counters
    absent = [one.reason for one in offers if isinstance(one, Absent) and one.name.startswith("over_current")]
    assert bool(absent) == (not counters), "a board without them says so"


def test_the_memorys_cap_is_what_a_user_may_read_of_it(tmp_path: Path) -> None:
    assert sensors(jetson.offer(board("orin-nx", tmp_path / "nx")))["cap/emc"].read() == 2133000000
    assert "cap/emc" not in sensors(jetson.offer(board("agx-xavier", tmp_path / "agx")))


def test_an_alarm_that_throttles_nothing_says_so(tmp_path: Path) -> None:
    found = sensors(jetson.offer(board("agx-orin", tmp_path)))
    assert found["over_current/oc2"].what == "average over-current events (OC2)"
    assert found["over_current/oc3"].what.endswith("which throttle nothing")


def test_fan_and_tachometer(tmp_path: Path) -> None:
    for name, speed in (("agx-xavier", 1912), ("thor", 1786)):
        found = sensors(jetson.offer(board(name, tmp_path / name)))
        assert found["fan/rpm"].read() == speed
        assert 0 < found["fan/pwm"].read() <= 255


def test_a_part_that_is_off_is_no_temperature(tmp_path: Path) -> None:
    found = sensors(linux.offer(board("agx-orin", tmp_path), 1))
    with pytest.raises(ValueError, match="-256 degrees Celsius: the part is off"):
        found["temperature/cv0"].read()
    assert found["temperature/gpu"].read() == 47625


def test_a_zone_that_answers_with_an_error_stays_offered(tmp_path: Path) -> None:
    """It may answer later: an idle GPU's zone does."""
    found = sensors(linux.offer(board("orin-nx", tmp_path), 1))
    with pytest.raises(OSError, match="Input/output"):
        found["temperature/cv0"].read()


@pytest.mark.parametrize(
    ("name", "mode", "locked", "gpu_cap"),
    [
        ("agx-xavier", "MAXN (0)", False, 1377000000),
        ("orin-nx", "15W (2)", True, 612000000),
        ("agx-orin", "MAXN (0)", False, 1300500000),
        ("thor", None, True, 1575000000),
    ],
)
def test_state_knows_mode_lock_and_the_modes_cap(
    name: str, mode: str, locked: bool, gpu_cap: int, tmp_path: Path
) -> None:
    found = state.read(board(name, tmp_path))
    assert (found.power_mode, found.locked) == (mode, locked)
    assert bool(found.power_mode_reason) == (mode is None)
    assert next(one for one in found.clocks if one.name == "gpu").cap_hz == gpu_cap


def test_free_clocks_are_named_with_their_span(tmp_path: Path) -> None:
    found = state.read(board("agx-orin", tmp_path))
    assert "gpu from 306 to 1300 MHz" in found.locked_reason
    assert "cpu0 from 730 to 2202 MHz" in found.locked_reason


def test_trip_points_are_those_that_mean_trouble(tmp_path: Path) -> None:
    sysfs.put(tmp_path, "sys/class/thermal/thermal_zone0/trip_point_7_type", "active")
    sysfs.put(tmp_path, "sys/class/thermal/thermal_zone0/trip_point_7_temp", "46000")
    sysfs.put(tmp_path, "sys/class/thermal/thermal_zone1/trip_point_8_type", "passive")
    sysfs.put(tmp_path, "sys/class/thermal/thermal_zone1/trip_point_8_temp", "-274000")
    found = state.read(board("orin-nx", tmp_path)).trips_mc
    assert found["cpu"] == found["gpu"] == {"passive": 99000, "critical": 104500}, (
        "a fan's is none, an unused one neither"
    )


def caps(name: str, number: int, tmp_path: Path) -> Tuple[str, Dict[str, int]]:
    tree = board(name, tmp_path)
    found = power_mode.parse(tree.text(tree.path(power_mode.MODES)) or "", number)
    return str(found), found.caps_hz


def test_a_modes_caps_are_in_hertz_and_no_limit_is_none(tmp_path: Path) -> None:
    assert caps("orin-nx", 2, tmp_path / "a") == (
        "15W (2)",
        {"cpu0": 1420800000, "cpu4": 1420800000, "gpu": 612000000},
    )
    assert caps("agx-xavier", 0, tmp_path / "b") == ("MAXN (0)", {})
    assert caps("agx-xavier", 2, tmp_path / "c")[1] == {"cpu0": 1200000000, "cpu2": 1200000000, "gpu": 670000000}
    assert caps("agx-xavier", 9, tmp_path / "d") == ("mode (9)", {})


@pytest.mark.parametrize(
    ("status", "why"), [("garbage", "names no mode"), ("!error", "cannot be read"), ("!fifo", "cannot be read")]
)
def test_a_mode_that_cannot_be_told_has_a_reason(status: str, why: str, tmp_path: Path) -> None:
    tree = board("orin-nx", tmp_path)
    sysfs.put(tmp_path, power_mode.STATUS, status)
    mode, reason = power_mode.read(tree)
    assert mode is None
    assert why in reason


@pytest.mark.parametrize("broken", ["!fifo", "!error", "", "\\xff\\xfe", "9" * 70_000])
def test_no_file_that_is_broken_keeps_the_others_from_being_found(broken: str, tmp_path: Path) -> None:
    tree = board("orin-nx", tmp_path)
    for path in (
        "sys/class/hwmon/hwmon1/in2_label",
        "sys/class/hwmon/hwmon3/name",
        "sys/class/devfreq/17000000.gpu/device/of_node/name",
        "sys/class/thermal/thermal_zone1/type",
        "sys/devices/system/cpu/cpufreq/policy4/related_cpus",
    ):
        sysfs.put(tmp_path, path, broken)
    found = sensors(sampler.offer(tree, 1)[0])
    assert {"power/VDD_IN", "power/VDD_SOC", "clock/gpu", "temperature/cpu", "fan/rpm", "clock/cpu0"} <= set(found)
    assert state.read(tree).locked is True
