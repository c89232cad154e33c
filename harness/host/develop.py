"""What developers run: pytest, ruff and mypy of this environment, over this checkout."""

import subprocess
import sys
from pathlib import Path
from typing import Sequence

ROOT = Path(__file__).resolve().parents[2]


def test(arguments: Sequence[str]) -> int:
    return _run("pytest", *arguments)


def lint(fix: bool) -> int:
    if fix:
        return _run("ruff", "check", "--fix", ".") or _run("ruff", "format", ".")
    return _run("ruff", "check", ".") or _run("ruff", "format", "--check", ".")


def types() -> int:
    return _run("mypy")


def _run(module: str, *arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", module, *arguments], check=False, cwd=str(ROOT)).returncode
