"""What the tests of real engines do where none can run: skipped with the reason by hand, failed where one is needed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEAD = "#!/bin/sh\necho 'failed to mount overlay: operation not permitted' >&2\nexit 1\n"


@pytest.mark.parametrize("installed", [False, True])
def test_no_engine_is_a_reason_or_a_failure(tmp_path: Path, installed: bool) -> None:
    for name in ("dockerd", "debootstrap") if installed else ():
        (tmp_path / name).write_text(DEAD)
        (tmp_path / name).chmod(0o755)

    def tests(**more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-m",
                "docker",
                "-rs",
                "tests/docker/test_whole_job.py",
                "-k",
                "unknown_pin",
            ],
            cwd=str(ROOT),
            env={**os.environ, "PATH": str(tmp_path), **more},
            capture_output=True,
            text=True,
            check=False,
        )

    by_hand = tests()
    assert by_hand.returncode == 0, by_hand.stdout
    if os.geteuid() != 0:
        reason = "an engine of its own needs root"
    elif installed:
        reason = "dockerd did not start: failed to mount overlay"
    else:
        reason = "dockerd is not installed"
    assert "SKIPPED [1]" in by_hand.stdout
    assert reason in by_hand.stdout
    needed = tests(HARNESS_NEEDS_ENGINE="1")
    assert needed.returncode not in (0, 5)
    assert reason in needed.stdout + needed.stderr
