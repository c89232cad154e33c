"""A board over ssh, whole: a stand-in for the program ssh runs what it is given here, with Docker's own dial-stdio."""

import os
from pathlib import Path

import pytest

from tests.docker.conftest import Measure, board
from tests.docker.engines import Engine


def test_a_bench_over_ssh(
    engine: Engine, measure: Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean: None
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "ssh"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\nfor last; do :; done\n'
        f'DOCKER_HOST={engine.address} exec /bin/sh -c "$last"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    outcome = measure(boards=[board("ssh://me@lab:2222")])
    assert outcome.counts == {"ok": 4}
    calls = (tmp_path / "calls").read_text().splitlines()
    assert {call.partition(" -- ")[0] for call in calls} == {"-T -o BatchMode=yes -p 2222 -l me"}
    assert {call.partition(" -- ")[2] for call in calls} >= {"lab docker system dial-stdio"}
