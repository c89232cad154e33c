"""What was left on a board: answers are taken once they are whole, everything of a cell goes, and nothing else does."""

import io
import tarfile
from pathlib import Path
from typing import Dict, List, Tuple

import msgspec
import pytest

from harness import upgrades
from harness.host import runs
from harness.host.containers import labels, leftovers
from harness.host.containers.daemon import Daemon
from harness.records import Result
from tests import example_run
from tests.containers.stub_engine import Answer, Engines
from tests.example_run import experiment, result

ONE, TWO = "1" * 64, "2" * 64


def archived(data: bytes) -> Answer:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo("out.json")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return 200, buffer.getvalue()


def left(state: str, run: str = "r", container: str = ONE) -> Dict[str, object]:
    marks = labels.labels("cell", labels.of_cell({"run": run} if run else {}))
    return {"Id": container, "State": state, "Labels": marks}


def cleared(
    stub: Engines, containers: List[Dict[str, object]], answers: Dict[str, Answer]
) -> "Tuple[List[str], List[Tuple[str, Result]], List[str]]":
    taken: List[Tuple[str, Result]] = []
    engine = stub(
        {
            "GET /containers/json": (200, list(containers)),
            "GET /volumes": (200, {"Volumes": [{"Name": "v1"}]}),
            "DELETE /volumes/v1": (204, b""),
            **{f"DELETE /containers/{one['Id']}": (204, b"") for one in containers},  # type: ignore[dict-item]
            **answers,
        }
    )
    daemon = Daemon("lab", engine.address)
    done = leftovers.clear(daemon, lambda run, result, read: taken.append((run, result)))
    daemon.close()
    return done, taken, [one for one in engine.asked if one.startswith("DELETE")]


def test_a_finished_answer_is_taken_and_its_container_removed(stub: Engines) -> None:
    found = result(experiment("onnxruntime"), 2)
    data = upgrades.encode(found)
    done, taken, removed = cleared(stub, [left("exited")], {f"GET /containers/{ONE}/archive": archived(data)})
    assert taken == [("r", found)]
    assert done[0].startswith("took ")
    assert done[0].endswith(" round 2 of run r")
    assert done[1] == "removed container 111111111111, left by a run that ended early"
    assert removed == [f"DELETE /containers/{ONE}", "DELETE /volumes/v1"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((404, {"message": "Could not find the file /cell/job/out.json"}), ""),
        ((200, b"no archive"), "left an answer of container 111111111111 alone: a container's answer was refused"),
        (archived(b"{}"), "left an answer of container 111111111111 alone: "),
        (archived(b"\xff not json"), "left an answer of container 111111111111 alone: "),
    ],
)
def test_what_is_no_whole_answer_is_not_taken_and_does_not_stop_the_rest(
    stub: Engines, answer: Answer, said: str
) -> None:
    good = upgrades.encode(result(experiment("onnxruntime"), 1))
    done, taken, removed = cleared(
        stub,
        [left("exited"), left("exited", container=TWO)],
        {f"GET /containers/{ONE}/archive": answer, f"GET /containers/{TWO}/archive": archived(good)},
    )
    assert len(taken) == 1
    assert len(removed) == 3
    assert [line for line in done if line.startswith("left")] == [line for line in done if said and said in line]


@pytest.mark.parametrize("one", [left("running"), left("created"), left("exited", run="")])
def test_what_runs_or_belongs_to_no_run_is_only_removed(stub: Engines, one: Dict[str, object]) -> None:
    """Who holds the board calls this: what still runs is nobody's any more."""
    done, taken, removed = cleared(stub, [one], {})
    assert taken == []
    assert len(done) == 1
    assert removed[0] == f"DELETE /containers/{ONE}"


def test_what_went_by_itself_meanwhile_is_no_error(stub: Engines) -> None:
    gone: Answer = (404, {"message": "No such container"})
    done, _, _ = cleared(stub, [left("running")], {f"DELETE /containers/{ONE}": gone, "DELETE /volumes/v1": gone})
    assert len(done) == 1


def test_a_clean_board(stub: Engines, tmp_path: Path) -> None:
    done, taken, removed = cleared(stub, [], {"GET /volumes": (200, {"Volumes": None})})
    assert (done, taken, removed) == ([], [], [])


def test_a_result_is_kept_only_where_its_very_cell_is_planned_and_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = experiment("onnxruntime")
    folder = example_run.write(tmp_path / "results" / "r", [result(one, 1)], [one], rounds=3)

    def take(run: str, what: Result) -> bool:
        return runs.take(tmp_path / "results", run, what, lambda name: None)

    assert not take("r", result(one, 1)), "it is there"
    assert not take("r", result(one, 4)), "a round too many"
    for name in ("none", "../r", "..", "."):
        assert not take(name, result(one, 2))
    away = msgspec.structs.replace(one, system=msgspec.structs.replace(one.system, board="../../away"))
    monkeypatch.setattr(type(one), "slug", lambda _: "forged")  # six digits can be made to agree
    assert not take("r", result(away, 2))
    assert not list(tmp_path.parent.glob("away*")) + list(tmp_path.glob("away*"))
    monkeypatch.undo()
    assert take("r", result(one, 2))
    assert runs.result_path(folder, one, 2).exists()
