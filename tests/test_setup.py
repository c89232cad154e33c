"""Set-up on the bare interpreter: what it misses, the one command that cures it, and an installation that fails."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Callable, Optional

import pytest

from harness.host import setup

ROOT = Path(__file__).resolve().parents[1]


def finder(*there: str) -> Callable[[str], Optional[str]]:
    return lambda name: f"/usr/bin/{name}" if name in there else None


def test_a_linker_is_missed_only_where_tvm_is_wanted() -> None:
    nothing = finder()
    assert [text for text, _ in setup.missing((3, 11), nothing)] == [
        "there is no C++ linker on the PATH (g++, clang++, c++); TVM needs one"
    ]
    assert setup.missing((3, 11), finder("clang++")) == []
    assert setup.missing((3, 8), nothing) == [], "no TVM wheel there, so no linker is needed"
    assert setup.missing((3, 11), nothing, backends="null,onnxruntime") == []
    assert len(setup.missing((3, 11), nothing, backends="tvm,onnxruntime")) == 1


@pytest.mark.parametrize(
    ("there", "root", "command"),
    [
        ("apt-get", False, "sudo apt-get install -y python3.11-venv g++"),
        ("apt-get", True, "apt-get install -y python3.11-venv g++"),
        ("dnf", True, "dnf install -y python3.11 gcc-c++"),
        ("none", True, "install with your package manager: venv for this Python, g++"),
    ],
)
def test_one_command_cures_it_all(there: str, root: bool, command: str) -> None:
    assert setup.cure([("venv", 1), ("linker", 2)], (3, 11), finder(there), root) == command


def test_too_old_and_windows_are_refused() -> None:
    assert "3.7 is too old" in setup.refuse((3, 7), "linux")
    assert "WSL2" in setup.refuse((3, 11), "win32")
    assert setup.refuse((3, 8), "linux") == ""


def run(folder: Path, lock: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "harness.host.setup", str(folder), str(lock)],
        cwd=str(ROOT),
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(sys.version_info < (3, 10), reason="without TVM no linker is missed")
def test_an_empty_path_names_the_cure_and_makes_nothing(tmp_path: Path) -> None:
    ended = run(tmp_path / "venv", tmp_path / "none.txt", PATH="", BACKENDS="")
    assert ended.returncode == 1
    assert "no C++ linker" in ended.stderr
    assert "cure: " in ended.stderr
    assert not (tmp_path / "venv").exists()


def test_a_lock_is_installed_once_and_a_failed_one_is_tried_again(tmp_path: Path) -> None:
    lock, folder = tmp_path / "requirements.txt", tmp_path / "venv"
    lock.write_text("no-such-distribution-of-ours==1 --hash=sha256:" + "0" * 64 + "\n")
    ended = run(folder, lock)
    assert ended.returncode == 1
    assert "No matching distribution" in ended.stderr
    assert "is the network there?" in ended.stderr
    lock.write_text("# nothing\n")
    ended = run(folder, lock)
    assert ended.returncode == 0, ended.stderr
    assert "installing" in ended.stderr
    ended = run(folder, lock)
    assert (ended.returncode, ended.stderr) == (0, "")
    lock.write_text("# still nothing\n")
    assert "installing" in run(folder, lock).stderr, "another lock is installed again"
