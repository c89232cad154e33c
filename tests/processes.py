"""Processes of this machine as /proc tells of them: whose child one is, and whether it has ended."""

import time
from pathlib import Path
from typing import Callable

PATIENCE_S = 60.0
"""What must come about has this long: a machine may be slow, and what hangs takes forever."""


def parent_of(process: Path) -> int:
    """`process` is its folder below /proc; raises OSError where it has ended."""
    # Its name stands in brackets, with any signs in it; then come its state and its parent.
    return int((process / "stat").read_text().rpartition(")")[2].split()[1])


def gone(process: int) -> bool:
    """Also where only its parent has not heard of its end yet."""
    try:
        state = (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def comes_about(what: Callable[[], bool]) -> bool:
    """Whether it does within PATIENCE_S."""
    end = time.monotonic() + PATIENCE_S
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
