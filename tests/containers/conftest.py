"""Stand-ins for what lies outside of the process: the program `ssh`, and an engine that says what a test needs."""

import os
import sys
from pathlib import Path
from typing import Callable, Dict, Iterator, List

import pytest

from tests.containers.stub_engine import Answer, Engines, StubEngine

Ssh = Callable[[str], Callable[[], List[List[str]]]]


@pytest.fixture()
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ssh:
    """Given the body of a Python program, puts it on PATH as `ssh`; the answer lists the arguments of each call."""
    folder, calls = tmp_path / "bin", tmp_path / "calls"
    folder.mkdir()

    def install(body: str) -> Callable[[], List[List[str]]]:
        program = folder / "ssh"
        program.write_text(
            f"#!{sys.executable}\nimport os, sys\n"
            f"with open({str(calls)!r}, 'a') as file:\n    file.write('\\0'.join(sys.argv[1:]) + '\\1')\n{body}\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        return lambda: [call.split("\0") for call in calls.read_text().split("\1")[:-1]] if calls.exists() else []

    return install


@pytest.fixture()
def stub(tmp_path: Path) -> Iterator[Engines]:
    made: List[StubEngine] = []

    def make(answers: Dict[str, Answer]) -> StubEngine:
        made.append(StubEngine(tmp_path / f"stub{len(made)}.sock", answers))
        return made[-1]

    yield make
    for one in made:
        one.close()
