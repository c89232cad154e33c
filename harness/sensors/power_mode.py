"""A Jetson's power mode and what it allows every clock, from the two files that nvpmodel keeps: no tool, no rights.

Neither file is in a container: there the mode is what the host says of the board.
"""

import re
from typing import Dict, NamedTuple, Optional, Tuple

from harness.sensors.tree import Tree

STATUS, MODES = "var/lib/nvpmodel/status", "etc/nvpmodel.conf"
ID = re.compile(r"pmode:\s*0*([0-9]+)")
SECTION = re.compile(r"<\s*(PARAM|POWER_MODEL)\s+(.*?)\s*>")
CPU = re.compile(r"/cpu/cpu([0-9]+)/")
KHZ = 1000


class PowerMode(NamedTuple):
    number: int
    name: str
    """Empty where the file of modes does not name it."""
    caps_hz: Dict[str, int]
    """Clock (`gpu`, `cpu0`) to the highest frequency that the mode allows; absent where it sets no limit."""

    def __str__(self) -> str:
        return f"{self.name or 'mode'} ({self.number})"


def read(tree: Tree) -> Tuple[Optional[PowerMode], str]:
    """The mode, or why it cannot be told."""
    status = tree.text(tree.path(STATUS))
    if status is None:
        return None, f"/{STATUS} cannot be read here"
    found = ID.search(status)
    if found is None:
        return None, f"/{STATUS} names no mode"
    number = int(found.group(1))
    return parse(tree.text(tree.path(MODES)) or "", number), ""


def parse(modes: str, number: int) -> PowerMode:
    """Of nvpmodel.conf: `< PARAM TYPE=CLOCK NAME=x >` tells where a clock is limited, `< POWER_MODEL >` what."""
    name, kind = "", ""
    caps: Dict[str, int] = {}
    clocks: Dict[str, str] = {}
    fields: Dict[str, str] = {}
    for line in modes.splitlines():
        section = SECTION.match(line.strip())
        if section:
            kind = section.group(1)
            fields = dict(one.split("=", 1) for one in section.group(2).split() if "=" in one)
            if kind == "POWER_MODEL" and fields.get("ID") == str(number):
                name = fields.get("NAME", "")
            continue
        words = line.split()
        if kind == "PARAM" and fields.get("TYPE") == "CLOCK" and words[:1] == ["MAX_FREQ"] and len(words) == 2:
            clocks[fields.get("NAME", "")] = words[1]
        elif kind == "POWER_MODEL" and fields.get("ID") == str(number) and len(words) == 3 and words[1] == "MAX_FREQ":
            clock, factor = _clock(words[0], clocks.get(words[0], ""))
            # -1 and 0 are nvpmodel's words for no limit.
            if clock and words[2].isdigit() and int(words[2]) > 0:
                caps[clock] = int(words[2]) * factor
    return PowerMode(number, name, caps)


def _clock(name: str, path: str) -> Tuple[str, int]:
    """(our name of the clock, its unit in Hz); cpufreq counts in kHz."""
    cpu = CPU.search(path)
    if cpu:
        return f"cpu{cpu.group(1)}", KHZ
    return ("gpu", 1) if name.upper().startswith("GPU") else ("", 1)
