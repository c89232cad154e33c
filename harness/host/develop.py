"""What developers run: pytest, ruff and mypy of this environment, over this checkout."""

import subprocess
import sys
from pathlib import Path
from typing import Sequence

from harness import cpu

ROOT = Path(__file__).resolve().parents[2]
MOST_WORKERS = 4
"""Each imports every runtime and starts processes of its own: beyond that, memory and disk decide how long it takes."""


def test(arguments: Sequence[str]) -> int:
    """As many side by side as there are processors; `-n 0` among the arguments puts them into one row."""
    workers = min(cpu.allowed_threads(), MOST_WORKERS)
    return _run("pytest", *(["-n", str(workers), "--dist", "worksteal"] if workers > 1 else []), *arguments)


def test_in_a_row(arguments: Sequence[str]) -> int:
    """For tests that share one device or engine."""
    return _run("pytest", *arguments)


def lint(fix: bool) -> int:
    if fix:
        return _run("ruff", "check", "--fix", ".") or _run("ruff", "format", ".")
    return _run("ruff", "check", ".") or _run("ruff", "format", "--check", ".")


def types() -> int:
    return _run("mypy")


def _run(module: str, *arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", module, *arguments], check=False, cwd=str(ROOT)).returncode
