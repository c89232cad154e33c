"""Looks at what only a Jetson has: L4T against the pins, host libraries, the toolkit's csv mode, power mode, clocks.

The files are those that public sources name for JetPack 5 to 7; no Jetson has confirmed them to this project yet.
"""

import re
from typing import List, Optional

from harness.errors import HarnessError
from harness.host.containers import pins
from harness.host.containers.glance import Seen
from harness.host.containers.outside import Outside
from harness.host.doctor.finding import Finding

TOOLKIT = "/etc/nvidia-container-runtime/config.toml"
LISTS = "/etc/nvidia-container-runtime/host-files-for-container.d/*.csv"
LIBRARIES = ("/usr/lib/aarch64-linux-gnu/tegra", "/usr/lib/aarch64-linux-gnu/nvidia", "/opt/nvidia/l4t-gpu-libs/*")
DEVFREQ = "/sys/class/devfreq/*"
GPUS = ("gv11b", "gp10b", "ga10b", "gb10b", "gpu")
"""Node names of a Jetson's GPU in the device tree."""
TEXTS = [TOOLKIT, LISTS] + [f"{DEVFREQ}/{name}" for name in ("min_freq", "max_freq", "device/of_node/name")]
SIZES = [f"{folder}/*.so*" for folder in LIBRARIES]
NEEDED = ("devices.csv", "drivers.csv")


def findings(seen: Seen, told: Outside, wanted: Optional[str], power_mode: Optional[str]) -> List[Finding]:
    if told.l4t is None:
        return [no_jetson(wanted)]
    return [
        l4t(told, wanted),
        libraries(seen),
        dla_compiler(seen),
        csv_mode(seen),
        csv_files(seen),
        power(told, power_mode),
        clocks(seen),
    ]


def no_jetson(wanted: Optional[str]) -> Finding:
    try:
        if wanted not in (None, pins.NONE):
            pins.load().check(str(wanted), None, "here")
    except HarnessError as error:
        return Finding.problem("L4T", str(error))
    return Finding.note(
        "L4T",
        "no /etc/nv_tegra_release: no Jetson, so its libraries, csv mode, power mode and clocks are not looked at",
    )


def l4t(told: Outside, wanted: Optional[str]) -> Finding:
    assert told.l4t is not None
    where = f"L4T {told.l4t} on {told.module or 'a module that does not tell its name'}"
    known = pins.load()
    try:
        default = known.default(told.l4t)
        if wanted not in (None, pins.NONE):
            known.check(str(wanted), told.l4t, "here")
    except HarnessError as error:
        return Finding.problem("L4T", str(error))
    return Finding.ok(
        "L4T", f"{where}; pins for it: {', '.join(known.serving(told.l4t))}; JETPACK is {wanted or default}"
    )


def libraries(seen: Seen) -> Finding:
    there = {path: size for path, size in seen.sizes.items() if ".so" in path}
    empty = sorted(path for path, size in there.items() if size == 0)
    if empty:
        more = f" and {len(empty) - 3} more" if len(empty) > 3 else ""
        return Finding.problem(
            "host libraries",
            f"{', '.join(empty[:3])}{more}: zero bytes, left by a container that mounted over them",
            "sudo apt-get install --reinstall $(dpkg -S FILE | cut -d: -f1) for each, then reboot",
        )
    if not there:
        return Finding.problem(
            "host libraries",
            f"none in {', '.join(LIBRARIES)}: no container can reach the GPU",
            "sudo apt-get install --reinstall nvidia-l4t-cuda nvidia-l4t-core",
        )
    return Finding.ok("host libraries", f"{len(there)} in place, none empty")


def dla_compiler(seen: Seen) -> Finding:
    sizes = [size for path, size in seen.sizes.items() if path.endswith("/libnvdla_compiler.so")]
    if not sizes or not any(sizes):
        return Finding.note(
            "DLA compiler",
            "libnvdla_compiler.so is not on the host: where a board has a DLA, TensorRT cannot be imported without it",
            "sudo apt-get install nvidia-l4t-dla-compiler",
        )
    return Finding.ok("DLA compiler", f"libnvdla_compiler.so, {max(sizes)} bytes")


def csv_mode(seen: Seen) -> Finding:
    if TOOLKIT not in seen.texts:
        return Finding.problem(
            "csv mode",
            f"there is no {TOOLKIT}: NVIDIA's toolkit is missing",
            "sudo apt-get install nvidia-container-toolkit",
        )
    found = re.search(r'^\s*mode\s*=\s*"([^"]*)"', seen.text(TOOLKIT), re.MULTILINE)
    mode = found.group(1) if found else "auto"
    if mode not in ("auto", "csv"):
        return Finding.problem(
            "csv mode",
            f'{TOOLKIT} says mode = "{mode}": the board\'s driver is not mounted into containers that way',
            'set mode = "auto" there, then sudo systemctl restart docker',
        )
    return Finding.ok("csv mode", mode + (", which is csv on a Jetson" if mode == "auto" else ""))


def csv_files(seen: Seen) -> Finding:
    rows = {path.rpartition("/")[2]: text for path, text in seen.matching(LISTS).items()}
    absent = [name for name in NEEDED if not rows.get(name, "").strip()]
    if absent:
        return Finding.problem(
            "csv files",
            f"{' and '.join(absent)} missing or empty in {LISTS.rpartition('/')[0]}: nothing of the driver is mounted",
            "sudo apt-get install --reinstall nvidia-l4t-init",
        )
    count = sum(bool(line.strip()) for text in rows.values() for line in text.splitlines())
    return Finding.ok("csv files", f"{', '.join(sorted(rows))}: {count} entries")


def power(told: Outside, expected: Optional[str]) -> Finding:
    if told.power_mode is None:
        return Finding.note("power mode", "nvpmodel does not tell this user", "sudo nvpmodel -q")
    if expected is not None and told.power_mode != expected:
        return Finding.problem(
            "power mode",
            f"{told.power_mode}, where boards.toml expects {expected}",
            "sudo nvpmodel -m ID (/etc/nvpmodel.conf names them), or mend boards.toml",
        )
    return Finding.ok("power mode", told.power_mode)


def clocks(seen: Seen) -> Finding:
    folders = [
        path[: -len("/device/of_node/name")]
        for path, text in seen.matching(f"{DEVFREQ}/device/of_node/name").items()
        if text.strip("\0\n ") in GPUS
    ]
    if not folders:
        return Finding.note("clocks", f"no GPU below {DEVFREQ}: whether its clock is locked is unknown")
    low, high = (seen.text(f"{folders[0]}/{name}").strip() for name in ("min_freq", "max_freq"))
    if not low.isdigit() or not high.isdigit():
        return Finding.note(
            "clocks", f"{folders[0]} tells no frequencies: whether the GPU's clock is locked is unknown"
        )
    if low != high:
        return Finding.note(
            "clocks",
            f"the GPU's move between {int(low) / 1e6:.0f} and {int(high) / 1e6:.0f} MHz, so times spread",
            "sudo jetson_clocks, after nvpmodel and after every boot",
        )
    return Finding.ok("clocks", f"the GPU's is locked at {int(high) / 1e6:.0f} MHz")
