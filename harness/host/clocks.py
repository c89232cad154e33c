"""How this machine's power mode and clocks are set, read from its files; what `lock` and `unlock` show and check."""

import re
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

from harness.host.containers import glance
from harness.host.containers.outside import RELEASE
from harness.host.doctor.jetson import DEVFREQ, GPUS
from harness.host.nearest import nearest

CPUFREQ = "/sys/devices/system/cpu/cpufreq/policy*"
STATUS, MODES, BOOT, FAMILY = (
    "/var/lib/nvpmodel/status",
    "/etc/nvpmodel.conf",
    "/proc/sys/kernel/random/boot_id",
    "/sys/devices/soc0/family",
)
RELEASE_FILE = "/etc/nv_tegra_release"
WANTED = glance.Wanted(
    [
        *(RELEASE_FILE, FAMILY, STATUS, MODES, BOOT),
        *(f"{DEVFREQ}/{name}" for name in ("min_freq", "max_freq", "device/of_node/name")),
        *(f"{CPUFREQ}/{name}" for name in ("scaling_min_freq", "scaling_max_freq", "scaling_governor")),
    ]
)
GPU_FOLDER = re.compile(r".*(gv11b|ga10b|gb10b|\.gpu|gpu-gpc-[0-9]+)$")
"""Where the device tree does not say which devfreq device is the GPU."""
MODE = re.compile(r"<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+?)\s*>")


class Clock(NamedTuple):
    name: str
    min_hz: int
    max_hz: int

    @property
    def held(self) -> bool:
        return self.min_hz == self.max_hz

    def __str__(self) -> str:
        if self.held:
            return f"{self.name} held at {self.max_hz / 1e6:.0f} MHz"
        return f"{self.name} free from {self.min_hz / 1e6:.0f} to {self.max_hz / 1e6:.0f} MHz"


class Clocks(NamedTuple):
    jetson: bool
    mode: Optional[int]
    modes: Dict[int, str]
    clocks: List[Clock]
    """The GPU's, then one for each group of processors that share theirs."""
    governors: List[str]
    boot_id: str

    @property
    def locked(self) -> bool:
        return bool(self.clocks) and all(one.held for one in self.clocks)

    def words(self) -> List[str]:
        mode = "unknown" if self.mode is None else f"{self.modes.get(self.mode, '?')} ({self.mode})"
        offered = ", ".join(f"{name} ({number})" for number, name in sorted(self.modes.items()))
        first = f"power mode  {mode}" + (f", of {offered}" if offered else "")
        return [first, *(f"clock       {one}" for one in self.clocks)]

    def number(self, wanted: str) -> int:
        """Of a mode given by number or name; ValueError with the nearest otherwise."""
        for number, name in self.modes.items():
            if wanted in (str(number), name):
                return number
        raise ValueError(f"no power mode {wanted!r}{nearest(wanted, list(self.modes.values()))}")


def look(root: Path = Path("/")) -> Clocks:
    seen = glance.read(None, "local", WANTED, root)
    status = re.search(r"pmode:0*(\d+)", seen.text(STATUS))
    family = seen.text(FAMILY).strip().lower()
    return Clocks(
        jetson=bool(RELEASE.search(seen.text(RELEASE_FILE))) or family.startswith("tegra"),
        mode=int(status.group(1)) if status else None,
        modes={int(number): name for number, name in MODE.findall(seen.text(MODES))},
        clocks=_gpu(seen) + _cpus(seen),
        governors=sorted({text.strip() for text in seen.matching(f"{CPUFREQ}/scaling_governor").values()}),
        boot_id=seen.text(BOOT).strip(),
    )


def _gpu(seen: glance.Seen) -> List[Clock]:
    found = []
    for path in sorted(seen.matching(f"{DEVFREQ}/max_freq")):
        folder = path.rpartition("/")[0]
        node = seen.text(f"{folder}/device/of_node/name").strip("\0\n ")
        if node in GPUS or (not node and GPU_FOLDER.fullmatch(folder.rpartition("/")[2])):
            found += _clock("GPU", seen.text(f"{folder}/min_freq"), seen.text(path), 1)
    return found


def _cpus(seen: glance.Seen) -> List[Clock]:
    found = []
    for path in sorted(seen.matching(f"{CPUFREQ}/scaling_max_freq"), key=lambda one: int(re.sub(r"\D", "", one) or 0)):
        number = re.findall(r"policy(\d+)", path)[0]
        low = seen.text(path.replace("scaling_max_freq", "scaling_min_freq"))
        found += _clock(f"CPU {number}", low, seen.text(path), 1000)
    return found


def _clock(name: str, low: str, high: str, factor: int) -> List[Clock]:
    if not low.strip().isdigit() or not high.strip().isdigit():
        return []
    return [Clock(name, int(low) * factor, int(high) * factor)]
