"""Processes of this machine as /proc tells of them: whose child one is."""

from pathlib import Path


def parent_of(process: Path) -> int:
    """`process` is its folder below /proc; raises OSError where it has ended."""
    # Its name stands in brackets, with any signs in it; then come its state and its parent.
    return int((process / "stat").read_text().rpartition(")")[2].split()[1])
