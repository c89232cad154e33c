"""What only a Jetson has, from sysfs as any user reads it: power rails, the GPU's clock, over-current counters, fan.

Layouts are those that kernel sources and public files name for JetPack 5 to 7; no Jetson has confirmed them to this
project yet. `/sys` is readable in a container, but the device tree behind `of_node` is not.
"""

import re
from pathlib import Path
from typing import Callable, Dict, List

from harness.records import ClockLimits
from harness.sensors.channel import Absent, Offer, Sensor, Total
from harness.sensors.tree import Tree, number

GPU_NODES = {"gv11b", "gp10b", "ga10b", "gb10b", "gpu"}
"""What the device tree calls the GPU."""
GPU_FOLDER = re.compile(r"(.*\.)?(gv11b|gp10b|ga10b|gb10b|gpu)|gpu-gpc-[0-9]+")
"""What devfreq calls it; the only name where the device tree is masked."""
INPUTS = ("power/VDD_IN", "power/POM_5V_IN", "power/VIN")
"""Rails that measure the whole module's input; where there is one, the others are parts of it."""
ALARMS = {1: "under-voltage", 2: "average over-current", 3: "instantaneous over-current"}
COUNTER = 2.0**32
FANS, TACHOMETERS = ("pwmfan", "pwm-fan"), ("pwm_tach", "generic_pwm_tachometer")


def is_here(tree: Tree) -> bool:
    family = tree.text(tree.path("sys/devices/soc0/family")) or ""
    return family.lower().startswith("tegra") or tree.path("etc/nv_tegra_release").exists()


def offer(tree: Tree) -> Offer:
    return [*_rails(tree), *_gpu(tree), *_over_current(tree), *_throttle_events(tree), *_fan(tree)]


def total(names: List[str]) -> Total:
    """NX and Nano modules measure their input (`VDD_IN`), Thor's board too (`VIN`); AGX modules have their parts only.

    The sum over an AGX's rails is also what jetson_stats shows; it reads less than a meter at the board's supply.
    """
    rails = [name for name in names if name.startswith("power/")]
    for name in INPUTS:
        if name in rails:
            return Total([name], f"the module's input, rail {name[len('power/') :]}")
    listed = ", ".join(name[len("power/") :] for name in rails)
    return Total(rails, f"the sum of the module's rails ({listed}); this board measures no input" if rails else "")


def limits(tree: Tree) -> List[ClockLimits]:
    """Of the GPU."""
    found = []
    for name, folder in _gpu_folders(tree).items():
        steps = (tree.text(folder / "available_frequencies") or "").split()
        found.append(
            ClockLimits(
                name=name,
                min_hz=tree.whole(folder / "min_freq"),
                max_hz=tree.whole(folder / "max_freq"),
                highest_hz=max((int(step) for step in steps if step.isdigit()), default=None),
                governor=tree.text(folder / "governor") or "",
            )
        )
    return found


def _hwmon(tree: Tree, *names: str) -> List[Path]:
    """By the name each tells: numbers change from boot to boot."""
    return [path for path in tree.glob("sys/class/hwmon/hwmon*") if tree.text(path / "name") in names]


def _rails(tree: Tree) -> Offer:
    found: Offer = []
    for folder in _hwmon(tree, "ina3221"):
        for index in (1, 2, 3):  # from 4 on they are shunt voltages and their sum
            label = tree.label(folder / f"in{index}_label")
            if label and label != "NC" and tree.text(folder / f"in{index}_enable") != "0":
                found.append(_rail(tree, folder, index, label))
    for folder in _hwmon(tree, "ina238"):
        label = tree.label(folder / "label") or "VIN"  # the only one on Thor's board, and what tegrastats calls it
        found.append(
            Sensor(
                f"power/{label}",
                f"power of rail {label}",
                "mW",
                tree.name(folder / "power1_input"),
                lambda path=folder / "power1_input": number(path) / 1000,  # type: ignore[misc]
            )
        )
    if not found:
        reason = "no hwmon device is an ina3221 with a connected rail"
        return [Absent("power/total", "power of the module", "mW", "sys/class/hwmon", reason)]
    return found


def _rail(tree: Tree, folder: Path, index: int, label: str) -> Sensor:
    volts, amperes = folder / f"in{index}_input", folder / f"curr{index}_input"

    def read() -> float:
        return number(volts) * number(amperes) / 1000  # mV times mA is uW

    source = f"{tree.name(volts)} x {amperes.name}"
    return Sensor(f"power/{label}", f"power of rail {label}", "mW", source, read)


def _gpu_folders(tree: Tree) -> Dict[str, Path]:
    """`gpu` for the first, which is the only one but on Thor."""
    found = []
    for path in tree.glob("sys/class/devfreq/*"):
        node = tree.text(path / "device/of_node/name")
        if node in GPU_NODES or GPU_FOLDER.fullmatch(path.name):
            found.append(path)
    return {"gpu" if not index else f"gpu-{index}": path for index, path in enumerate(found)}


def _gpu(tree: Tree) -> Offer:
    found: Offer = []
    for name, folder in _gpu_folders(tree).items():
        for kind, file, what in (("clock", "cur_freq", "clock"), ("cap", "max_freq", "highest clock allowed")):
            source = tree.name(folder / file)
            found.append(Sensor(f"{kind}/{name}", f"{what} of the GPU", "Hz", source, _reader(folder / file)))
        load = folder / "device/load"
        if load.exists():
            found.append(
                Sensor(f"load/{name}", "load of the GPU, in thousandths", "1/1000", tree.name(load), _reader(load))
            )
    memory = tree.path("sys/kernel/nvpmodel_clk_cap/emc")  # its clock itself is told to root alone
    if memory.exists():
        found.append(Sensor("cap/emc", "highest clock allowed of the memory", "Hz", tree.name(memory), _reader(memory)))
    if not any(one.name == "clock/gpu" for one in found):
        reason = "no devfreq device is a GPU's"
        found.append(Absent("clock/gpu", "clock of the GPU", "Hz", "sys/class/devfreq", reason))
    return found


def _over_current(tree: Tree) -> Offer:
    """Counters since boot; L4T 36 calls them event counts, 35 interrupt counts."""
    found: Offer = []
    for folder in _hwmon(tree, "soctherm_oc"):
        for path in [*tree.glob(f"{tree.name(folder)}/oc*_event_cnt"), *tree.glob(f"{tree.name(folder)}/oc*_irq_cnt")]:
            index = int(re.sub(r"\D", "", path.name.split("_")[0]) or 0)
            what = f"{ALARMS.get(index, 'over-current')} events (OC{index})"
            if tree.text(folder / f"oc{index}_throt_en") == "0":
                what += ", which throttle nothing"
            found.append(Sensor(f"over_current/oc{index}", what, "events", tree.name(path), _reader(path), COUNTER))
    if not found:
        reason = "no hwmon device is called soctherm_oc"
        return [Absent("over_current/oc", "over-current events", "events", "sys/class/hwmon", reason)]
    return found


def _throttle_events(tree: Tree) -> Offer:
    """How often the kernel was told that hardware throttles a part for its temperature."""
    found: Offer = []
    for path in tree.glob("sys/devices/platform/*-throttle-alert/thermal_trip_event"):
        part = path.parent.name[: -len("-throttle-alert")]
        name, what = f"throttle_events/{part}", f"thermal throttle events of {part}"
        found.append(Sensor(name, what, "events", tree.name(path), _reader(path), COUNTER))
    return found


def _fan(tree: Tree) -> Offer:
    found: Offer = []
    for folder in _hwmon(tree, *FANS):
        path = folder / "pwm1"
        found.append(Sensor("fan/pwm", "duty of the fan, of 255", "1/255", tree.name(path), _reader(path)))
    for folder in _hwmon(tree, *TACHOMETERS):
        for path in (folder / "rpm", folder / "fan1_input"):
            if path.exists():
                found.append(Sensor("fan/rpm", "speed of the fan", "1/min", tree.name(path), _reader(path)))
                break
    return found or [Absent("fan/pwm", "duty of the fan", "1/255", "sys/class/hwmon", "no hwmon device is a fan")]


def _reader(path: Path) -> Callable[[], float]:
    return lambda: number(path)
