"""What developers run, for real: a test that fails fails `make test`, side by side and in a row."""

import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

from harness import cpu
from harness.host import develop


@pytest.mark.parametrize("more", [[], ["-n", "0"]], ids=["side by side", "in a row"])
def test_a_test_that_fails_is_exit_1_and_is_named(tmp_path: Path, more: List[str]) -> None:
    (tmp_path / "test_two.py").write_text("def test_one():\n    assert 0\n\ndef test_two():\n    pass\n")
    ended = subprocess.run(
        [sys.executable, "-m", "harness", "test", str(tmp_path), *more],
        cwd=str(develop.ROOT),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "1 failed, 1 passed in " in ended.stdout
    assert "test_two.py::test_one" in ended.stdout
    workers = min(cpu.allowed_threads(), develop.MOST_WORKERS)
    assert (f"{workers} workers [2 items]" in ended.stdout) is (workers > 1 and not more)
