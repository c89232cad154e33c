"""The files of a machine, below a root that tests can give: small texts and numbers, as sysfs and procfs have them."""

import contextlib
import errno
import os
import re
from pathlib import Path
from typing import Dict, List, Optional

from harness.sensors.patience import call_all

MOST_BYTES, MOST_LABEL = 1 << 16, 40
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def text(path: Path) -> str:
    """What the file holds, without NULs and white space around it; raises OSError. May block."""
    handle = os.open(str(path), os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.read(handle, MOST_BYTES)
    finally:
        os.close(handle)
    return data.decode("utf-8", "replace").strip("\0 \t\n")


def number(path: Path) -> float:
    """The one number that the file holds; raises OSError, or ValueError where it holds anything else. May block."""
    found = text(path)
    if not NUMBER.fullmatch(found):
        raise ValueError(f"holds {found[:30]!a}, no number" if found else "is empty")
    return float(found)


def words(error: Exception) -> str:
    """Why a file gave nothing, without its path: that stands beside it."""
    if isinstance(error, OSError):
        return {errno.ENOENT: "is not there", errno.EACCES: "may not be read by this user"}.get(
            error.errno or 0, error.strerror or type(error).__name__
        )
    return str(error) or type(error).__name__


class Tree:
    """Looks around for what there is. A file that does not answer is left behind and counts as unreadable."""

    def __init__(self, root: Path, limit_s: float = 0.25) -> None:
        self.root, self._limit_s = root, limit_s
        self.blocked: List[str] = []
        """Paths that did not answer within the limit."""

    def path(self, *parts: str) -> Path:
        return self.root.joinpath(*parts)

    def name(self, path: Path) -> str:
        """The path as a reader knows it: below the root."""
        return str(path.relative_to(self.root))

    def glob(self, pattern: str) -> List[Path]:
        """In the order of the numbers in their names: `cpu2` before `cpu10`."""
        return sorted(self.root.glob(pattern), key=_natural)

    def text(self, path: Path) -> Optional[str]:
        """None where it cannot be read."""
        found: Dict[str, str] = {}

        def read() -> None:
            with contextlib.suppress(OSError):
                found["text"] = text(path)

        if str(path) in self.blocked:
            return None
        if call_all([read], self._limit_s):
            self.blocked.append(str(path))
            return None
        return found.get("text")

    def label(self, path: Path) -> str:
        """A name that is fit to be a part of others: short, of letters, digits and `_ . + -`; empty without one."""
        return re.sub(r"[^A-Za-z0-9_.+-]+", "_", self.text(path) or "")[:MOST_LABEL]

    def number(self, path: Path) -> Optional[float]:
        found = self.text(path)
        return float(found) if found is not None and NUMBER.fullmatch(found) else None

    def whole(self, path: Path, factor: int = 1) -> Optional[int]:
        found = self.number(path)
        return None if found is None else round(found * factor)


def _natural(path: Path) -> List[object]:
    return [int(part) if part.isdigit() else part for part in re.split(r"([0-9]+)", str(path))]
