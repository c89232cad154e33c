"""Unfolds the trees of boards beside this file; see README.md."""

import os
from pathlib import Path

HERE = Path(__file__).parent
BOARDS = ("agx-xavier", "orin-nx", "agx-orin", "thor")


def unfold(board: str, root: Path) -> Path:
    """Makes the board's files below `root`."""
    for line in (HERE / f"{board}.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            path, _, value = line.partition(" ")
            put(root, path, value.strip())
    return root


def put(root: Path, path: str, value: object) -> None:
    """One file, in place of what is there."""
    file, text = root / path, str(value)
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.is_symlink() or file.exists():
        file.unlink()
    if text == "!fifo":
        os.mkfifo(str(file))
    elif text == "!error":
        file.symlink_to("/proc/self/mem")  # opens, and fails to read at its beginning
    else:
        file.write_text(text.replace("\\n", "\n") + "\n")
