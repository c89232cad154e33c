"""A board whose server runs in a container without any network, reached through its engine's own connection."""

import contextlib
from pathlib import Path
from typing import List

import pytest

from harness.backends._tvm_tuning.meter import CRASHED, LOST, MEASURED, Answer
from harness.host.containers import labels
from harness.host.fleet import serving
from tests.docker.conftest import board
from tests.docker.engines import Engine
from tests.fleet.boards import Ground, built, wait_for


def test_a_container_measures_without_a_network_and_is_taken_again_after_it_was_killed(
    engine: Engine, tmp_path: Path, clean: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "AGAIN_S", 0.3)
    ground = Ground(tmp_path, built(tmp_path))
    networks: List[str] = []

    def kill(answers: List[Answer]) -> None:
        if len(answers) == 3 and not networks:
            with contextlib.closing(engine.client()) as client:
                (one,) = client.api.containers(filters=labels.ours("cell"))
                networks.append(client.api.inspect_container(one["Id"])["HostConfig"]["NetworkMode"])
                client.api.kill(one["Id"])

    near = board(engine.address, "near")
    with contextlib.closing(near), near.held(lambda *_: None), ground.metered([near]) as meter:
        answers = ground.measured(meter, ["quick", "crash", "quick", "quick", "quick"], seen=kill)
        wait_for(meter, 1)
    assert networks == ["none"]
    assert [one.number for one in answers if one.outcome == MEASURED] == [0, 2, 3, 4]
    assert [one.number for one in answers if one.outcome == CRASHED] == [1]
    assert {one.number for one in answers if one.outcome == LOST} == {3}
    assert "board near: is back, and measures again" in ground.said
