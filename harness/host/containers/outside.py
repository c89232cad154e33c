"""What only the host can say of a board, since containers are masked: L4T, module, group numbers.

Read below `/` of this machine, or over ssh with the system's own client where the engine is reached that way.
"""

import re
import subprocess
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

from harness.errors import LaunchError
from harness.host.containers import address as addresses

FILES = ("/etc/nv_tegra_release", "/proc/device-tree/model", "/etc/group")
SSH_LIMIT_S = 30
GROUPS = ("video", "render")
RELEASE = re.compile(r"#\s*R(\d+)\s*\(release\),\s*REVISION:\s*(\d+(?:\.\d+)*)")


class Outside(NamedTuple):
    l4t: Optional[str]
    """`35.4.1`; None on a machine that is no Jetson, or that cannot be asked."""
    module: Optional[str]
    groups: List[int]


def look(address: Optional[str], board: str, root: Path = Path("/")) -> Outside:
    """`address` is the engine's; None is this machine's own. An engine behind a bare socket tells nothing."""
    if addresses.is_here(address):
        return parse({name: _read(root / name.lstrip("/")) for name in FILES})
    where = addresses.ssh(address, f"board {board}")
    return parse(_over_ssh(where, board)) if where is not None else Outside(None, None, [])


def parse(files: Dict[str, str]) -> Outside:
    """The three files, empty where there is none."""
    release = RELEASE.search(files["/etc/nv_tegra_release"])
    groups = []
    for line in files["/etc/group"].splitlines():
        name, _, rest = line.partition(":")
        number = rest.split(":")[1] if rest.count(":") >= 1 else ""
        if name in GROUPS and number.isdigit():
            groups.append(int(number))
    module = files["/proc/device-tree/model"].strip("\0\n ")
    return Outside(f"{release.group(1)}.{release.group(2)}" if release else None, module or None, groups)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _over_ssh(where: addresses.Ssh, board: str) -> Dict[str, str]:
    """One connection; no value of the user's reaches the board's shell."""
    marker = "----"
    failed = f"board {board}: ssh to {where.host} did not work"
    script = "; ".join(f"cat {name} 2>/dev/null; echo; echo {marker}" for name in FILES)
    try:
        done = subprocess.run(
            where.command(script),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SSH_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LaunchError(f"{failed}: no answer within {SSH_LIMIT_S} s") from None
    except OSError as error:
        raise LaunchError(f"{failed}: {error.strerror}: {error.filename}") from None
    if done.returncode == 255:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise LaunchError(f"{failed}: {said[-1] if said else 'no reason given'}")
    texts = done.stdout.decode(errors="replace").split(f"\n{marker}\n")
    return dict(zip(FILES, [*texts, "", "", ""]))
