"""Looks at what decides whether a board's memory lasts: RAM, swap, zram, desktop session, room for images.

Also names every file that this room and the Jetson's (`jetson.py`) are told of, so that one connection fetches them.
"""

import re
from typing import Any, Dict, List, Optional

from harness.host.containers import outside
from harness.host.containers.glance import Seen, Wanted
from harness.host.doctor import jetson
from harness.host.doctor.finding import Finding

DATA = "/var/lib/docker"
DISK = f"df -Pk / {DATA}"
FOLDER = re.compile(r"/[\w./-]+", re.ASCII)
SESSIONS = ("/tmp/.X11-unix/X*", "/run/user/*/wayland-?")
WANTED = Wanted(
    [*outside.WANTED.texts, "/proc/meminfo", "/proc/swaps", *jetson.TEXTS],
    [*SESSIONS, *jetson.SIZES],
    [*outside.WANTED.commands, DISK],
)
SWAP_FILE = "sudo sh -c 'fallocate -l 8G /swapfile && chmod 600 /swapfile && mkswap /swapfile && swapon /swapfile'"
LEAST_MEMORY_KB = 2_000_000
LEAST_DISK_KB = 10_000_000
"""An image of l4t-tensorrt unpacked, with the devel image that pycuda is compiled in."""


def findings(seen: Seen) -> List[Finding]:
    found = [memory(seen), swap(seen), desktop(seen), disk(seen)]
    return [one for one in found if one is not None]


def memory(seen: Seen) -> Optional[Finding]:
    total, left = (_kb(seen, name) for name in ("MemTotal", "MemAvailable"))
    if total is None or left is None:
        return None
    text = f"{left / 1e6:.1f} of {total / 1e6:.1f} GB are available"
    if left < LEAST_MEMORY_KB:
        return Finding.note("memory", f"{text}: builds and large models may run out of it", "end what is not needed")
    return Finding.ok("memory", text)


def swap(seen: Seen) -> Optional[Finding]:
    if "/proc/swaps" not in seen.texts:
        return None
    rows = [line.split() for line in seen.text("/proc/swaps").splitlines()[1:] if len(line.split()) >= 3]
    size = sum(int(row[2]) for row in rows if row[2].isdigit())
    zram = [row[0] for row in rows if "zram" in row[0]]
    if zram:
        return Finding.note(
            "swap",
            f"{size / 1e6:.1f} GB with {len(zram)} of zram: under pressure the CPU compresses memory while it measures",
            "sudo systemctl disable nvzramconfig, reboot, and use a swap file where builds need one",
        )
    if not size:
        return Finding.note("swap", "none: a build that needs more than the memory is killed", SWAP_FILE)
    return Finding.ok("swap", f"{size / 1e6:.1f} GB, no zram")


def desktop(seen: Seen) -> Finding:
    running = [path for path in seen.sizes if path.startswith(("/tmp/.X11-unix/", "/run/user/"))]
    if running:
        return Finding.note(
            "desktop",
            f"a session is running ({running[0]}): it takes memory and GPU time from what is measured",
            "sudo systemctl isolate multi-user.target (graphical.target brings it back)",
        )
    return Finding.ok("desktop", "no session is running")


def moved(info: Optional[Dict[str, Any]]) -> Optional[Wanted]:
    """Asks for the disk that an engine keeps its images on, where that is none of `WANTED`: people add a larger one.

    None where it is, or where its name is not one to show a shell.
    """
    folder = str((info or {}).get("DockerRootDir") or DATA)
    return Wanted(commands=[f"df -Pk {folder}"]) if folder != DATA and FOLDER.fullmatch(folder) else None


def disk(seen: Seen) -> Optional[Finding]:
    said = [text for command, text in seen.said.items() if command.startswith("df ")]
    rows = [line.split() for text in said for line in text.splitlines()[1:]]
    free = [int(row[3]) for row in rows if len(row) >= 6 and row[3].isdigit()]
    if not free:
        return None
    text = f"{free[-1] / 1e6:.1f} GB free for Docker's images (a JetPack's takes up to 10 GB while it is built)"
    if free[-1] < LEAST_DISK_KB:
        return Finding.note("image disk", text, "docker system df shows what takes it; docker image prune frees some")
    return Finding.ok("image disk", text)


def _kb(seen: Seen, name: str) -> Optional[int]:
    found = re.search(rf"^{name}:\s*(\d+) kB", seen.text("/proc/meminfo"), re.MULTILINE)
    return int(found.group(1)) if found else None
