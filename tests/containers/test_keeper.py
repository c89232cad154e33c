"""The hold on a board where an engine answers as seldom: a start that fails, and what is somebody else's."""

from typing import Dict

import pytest

from harness.errors import LaunchError
from harness.host.containers import keeper, labels
from harness.host.containers.daemon import Daemon
from harness.host.containers.keeper import Keeper
from tests.containers.stub_engine import Answer, Engines

ONE = "1" * 64
STORE: Answer = (200, {"Name": "x", "Labels": labels.labels("store")})
MADE: Dict[str, Answer] = {
    "POST /volumes/create": STORE,
    f"GET /volumes/{labels.ENGINES}": STORE,
    f"GET /volumes/{labels.MODELS}": STORE,
    f"GET /volumes/{labels.TUNING}": STORE,
    "POST /containers/create": (201, {"Id": ONE}),
}


def held(stub: Engines, answers: Dict[str, Answer], said: str) -> "list[str]":
    """What was asked for removal meanwhile."""
    engine = stub({**MADE, **answers})
    daemon = Daemon("lab", engine.address)
    with pytest.raises(LaunchError, match=said), Keeper(daemon, "image"):
        pass
    daemon.close()
    return [one for one in engine.asked if one.startswith("DELETE")]


def test_a_hold_that_does_not_start_leaves_no_container(stub: Engines) -> None:
    answers: Dict[str, Answer] = {
        f"POST /containers/{ONE}/attach": (500, {"message": "no space left on device"}),
        f"DELETE /containers/{ONE}": (204, b""),
    }
    assert held(stub, answers, "Docker refused: no space left on device") == [f"DELETE /containers/{ONE}"]


def test_a_volume_that_somebody_else_named_like_ours_is_not_used(stub: Engines) -> None:
    answers: Dict[str, Answer] = {f"GET /volumes/{labels.ENGINES}": (200, {"Name": "x", "Labels": None})}
    said = f"board lab: the volume {labels.ENGINES} there does not carry the label .*docker volume rm"
    assert held(stub, answers, said) == []


def test_a_container_that_somebody_else_named_like_ours_is_not_removed(
    stub: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "TAKEN_TRIES", 1)
    answers: Dict[str, Answer] = {
        "POST /containers/create": (409, {"message": "the name is in use"}),
        f"GET /containers/{labels.MEASURING}/json": (
            200,
            {"Id": ONE, "State": {"Running": False}, "Config": {"Labels": None}},
        ),
        f"DELETE /containers/{ONE}": (204, b""),
    }
    said = f"the container {labels.MEASURING} there does not carry the label"
    assert held(stub, answers, said) == []


def test_a_hold_that_another_took_away_before_it_started_is_told_so(
    stub: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "TAKEN_TRIES", 2)
    answers: Dict[str, Answer] = {
        f"POST /containers/{ONE}/attach": (404, {"message": f"No such container: {ONE}"}),
        f"DELETE /containers/{ONE}": (404, {"message": f"No such container: {ONE}"}),
    }
    held(stub, answers, "another run builds or measures there")
