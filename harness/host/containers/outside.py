"""What only the host can say of a board, since containers are masked: L4T, module, power mode, group numbers."""

import re
from pathlib import Path
from typing import List, NamedTuple, Optional

from harness.host.containers import address as addresses
from harness.host.containers import glance

RELEASE_FILE, MODEL_FILE, GROUP_FILE = "/etc/nv_tegra_release", "/proc/device-tree/model", "/etc/group"
POWER_MODE = "nvpmodel -q"
WANTED = glance.Wanted((RELEASE_FILE, MODEL_FILE, GROUP_FILE), (), (POWER_MODE,))
GROUPS = ("video", "render")
RELEASE = re.compile(r"#\s*R(\d+)\s*\(release\),\s*REVISION:\s*(\d+(?:\.\d+)*)")
MODE = re.compile(r"NV Power Mode:\s*(\S+)")


class Outside(NamedTuple):
    l4t: Optional[str]
    """`35.4.1`; None on a machine that is no Jetson, or that cannot be asked."""
    module: Optional[str]
    groups: List[int]
    power_mode: Optional[str] = None
    """As nvpmodel calls it: `MAXN`; None where there is no nvpmodel or it does not tell this user."""


NOTHING = Outside(None, None, [])


def look(address: Optional[str], board: str, root: Path = Path("/")) -> Outside:
    """`address` is the engine's; None is this machine's own. An engine behind a bare socket tells nothing."""
    seen = glimpse(address, board, WANTED, root)
    return parse(seen) if seen is not None else NOTHING


def glimpse(address: Optional[str], board: str, wanted: glance.Wanted, root: Path = Path("/")) -> Optional[glance.Seen]:
    """What the board's files say; None where no way leads to them."""
    if addresses.is_here(address):
        return glance.read(None, board, wanted, root)
    where = addresses.ssh(address, f"board {board}")
    return glance.read(where, board, wanted) if where is not None else None


def parse(seen: glance.Seen) -> Outside:
    release, mode = RELEASE.search(seen.text(RELEASE_FILE)), MODE.search(seen.said.get(POWER_MODE, ""))
    groups = []
    for line in seen.text(GROUP_FILE).splitlines():
        name, _, rest = line.partition(":")
        number = rest.split(":")[1] if rest.count(":") >= 1 else ""
        if name in GROUPS and number.isdigit():
            groups.append(int(number))
    module = seen.text(MODEL_FILE).strip("\0\n ")
    l4t = f"{release.group(1)}.{release.group(2)}" if release else None
    return Outside(l4t, module or None, groups, mode.group(1) if mode else None)
