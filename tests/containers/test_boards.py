"""boards.toml: what each wrong line is told, and that nothing written there is ever run."""

from pathlib import Path

import pytest

from harness.errors import PlanError
from harness.host import boards
from harness.host.board import LocalBoard
from harness.host.boards import Entry
from harness.host.cli import main
from harness.host.containers.daemon import Daemon
from harness.host.progress import Progress
from tests.containers.conftest import Ssh
from tests.containers.stub_engine import Answer, Engines

QUIET = Progress(quiet=True)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "boards.toml"
    path.write_text(text)
    return path


def test_boards_as_they_may_be_written(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '[xavier]\ndocker = "ssh://me@10.0.0.5:22"\njetpack = "5.1.2"\npower_mode = "MAXN"\nmemory_mb = 6000\n'
        '["orin-1.lab"]\ncontext = "orin"\n["7"]\n',
    )
    assert boards.entries(path) == {
        "xavier": Entry(docker="ssh://me@10.0.0.5:22", jetpack="5.1.2", power_mode="MAXN", memory_mb=6000),
        "orin-1.lab": Entry(context="orin"),
        "7": Entry(),
    }


def test_no_file_and_an_empty_one_are_no_boards(tmp_path: Path) -> None:
    assert boards.entries(tmp_path / "boards.toml") == {}
    assert boards.entries(written(tmp_path, "")) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[lab]\ndocket = "x"', "[lab]: unknown 'docket' (nearest: docker); known: docker, context, jetpack"),
        ("[lab]\nmemory = 5", "[lab]: unknown 'memory' (nearest: memory_mb); known: "),
        ('[lab]\nmemory_mb = "5"', "[lab]: Expected `int | null`, got `str` - at `$.memory_mb`; a board is [lab] with"),
        ("[lab]\nmemory_mb = 0", "[lab]: memory_mb 0 must be above zero"),
        ("[lab]\nmemory_mb = -5", "[lab]: memory_mb -5 must be above zero"),
        ('[lab]\ndocker = "ssh://a"\ncontext = "b"', "[lab]: give docker or context, not both"),
        ('[lab]\ndocker = ""\ncontext = ""', "[lab]: give docker or context, not both"),
        ('lab = "ssh://a"', "[lab]: Expected `object`, got `str`; a board is [lab] with some of docker, context"),
        ('[orin.lab]\ncontext = "x"', """[orin]: unknown 'lab'; known: docker, context"""),
        ('[orin.lab]\ncontext = "x"', """; a name with a dot stands in quotes: ["orin.lab"]"""),
        ("[[lab]]\n", "[lab]: Expected `object`, got `array`"),
        ("[local]", "[local]: 'local' is no name for a board"),
        ("[LOCAL]", "'LOCAL' is no name for a board"),
        ("[engines]", "'engines' is no name for a board"),
        ('["run.json"]', "'run.json' is no name for a board"),
        ('["../x"]', "'../x' is no name for a board"),
        ('["a/b"]', "'a/b' is no name for a board"),
        ('["a b"]', "'a b' is no name for a board"),
        ('["-a"]', "'-a' is no name for a board"),
        ('[""]', "'' is no name for a board"),
        ('["a\\nb"]', "'a\\nb' is no name for a board"),
        ('["$(touch x)"]', "'$(touch x)' is no name for a board"),
        ('[lab]\ndocker = "ssh://lab;touch x"', "[lab]: docker: 'ssh://lab;touch x' is no address of an engine"),
        ('[lab]\ndocker = "lab"', "[lab]: docker: 'lab' is no address of an engine; write ssh://user@host:port"),
        ('[lab]\ndocker = "ssh://me:pw@lab"', "[lab]: docker: the address holds a password, and this file no secrets"),
        ("[lab", "not valid TOML: "),
        ("[lab]\n[lab]", "not valid TOML: "),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(PlanError) as caught:
        boards.entries(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).isprintable()
    assert said in str(caught.value).replace("\\\\", "\\")


def test_what_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "boards.toml"
    path.write_bytes(b"[lab]\njetpack = '\xff'\n")
    with pytest.raises(PlanError, match="not UTF-8 text"):
        boards.entries(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(PlanError, match="cannot be read: Is a directory"):
        boards.entries(path)


def opened(tmp_path: Path, *names: str, jetpack: "str | None" = None) -> "list[object]":
    with boards.opened(names, jetpack, tmp_path / "results", QUIET, tmp_path / "boards.toml") as found:
        return list(found)


def test_names_that_are_asked_for(tmp_path: Path) -> None:
    written(tmp_path, '[xavier]\ndocker = "ssh://xavier"\n')
    with pytest.raises(PlanError, match=r"BOARD: unknown board 'xaver' \(nearest: xavier\); known: local, xavier"):
        opened(tmp_path, "xaver")
    with pytest.raises(PlanError, match="BOARD: name each board once, at least one"):
        opened(tmp_path, "local", "local")
    with pytest.raises(PlanError, match="at least one"):
        opened(tmp_path)
    with pytest.raises(PlanError, match="board xavier: its workers run in containers, so name a pin"):
        opened(tmp_path, "xavier", jetpack="none")
    assert isinstance(opened(tmp_path, "local", jetpack="none")[0], LocalBoard)


def test_an_engine_without_tls_is_refused_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_TLS_VERIFY", raising=False)
    written(tmp_path, '[lab]\ndocker = "tcp://127.0.0.1:2375"\njetpack = "cpu"\n')
    with pytest.raises(PlanError, match="has no TLS that checks who answers, so anyone could take the board over"):
        opened(tmp_path, "lab")


@pytest.mark.parametrize("field", ["context", "jetpack", "power_mode"])
def test_no_value_is_ever_run(tmp_path: Path, field: str, ssh: Ssh) -> None:
    """Values that a shell would act on come out as words of an error."""
    calls = ssh("")
    evil = f"$(touch {tmp_path}/ran); touch {tmp_path}/ran #"
    more = "" if field == "context" else 'docker = "ssh://lab"\n'
    written(tmp_path, f"[lab]\n{field} = '{evil}'\n{more}")
    with pytest.raises(PlanError):
        opened(tmp_path, "lab", jetpack=None if field == "jetpack" else "no-such-pin")
    assert not (tmp_path / "ran").exists()
    assert all(evil not in word for call in calls() for word in call)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["clean-volumes"], "there are no volumes on board local"),
        (["bench", "--dry-run", "--jetpack", "cpu", "--model", "yolov5n@32"], "board local: its image is not there"),
        (["doctor", "--jetpack", "cpu"], "is not on this engine yet"),
        (["shell", "--jetpack", "cpu"], "Docker refused"),
        (["pull", "--jetpack", "cpu"], "Docker refused"),
    ],
)
def test_every_verb_closes_its_connections(
    stub: Engines,
    tmp_path: Path,
    words: "list[str]",
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answers: "dict[str, Answer]" = {
        "GET /info": (200, {"ServerVersion": "20.10.24", "MemTotal": 8 << 30}),
        "GET /volumes": (200, {"Volumes": []}),
        "POST /images/create": (500, {"message": "no"}),
    }
    monkeypatch.setenv("DOCKER_HOST", stub(answers).address)
    connected: "list[Daemon]" = []
    connect = Daemon._connected
    monkeypatch.setattr(Daemon, "_connected", lambda one: connected.append(one) or connect(one))
    main([*words, *([] if words[0] == "clean-volumes" else ["--results", str(tmp_path)])])
    told = capsys.readouterr()
    assert said in told.out + told.err
    assert connected
    assert [one for one in connected if one._client is not None] == []


def test_this_machine_with_a_container_and_without_is_refused(tmp_path: Path, stub: Engines) -> None:
    engine = stub({"GET /info": (200, {"ServerVersion": "20.10.24", "MemTotal": 8 << 30})})
    written(tmp_path, f'[boxed]\ndocker = "{engine.address}"\njetpack = "cpu"\n')
    with pytest.raises(PlanError, match="BOARD: local and boxed are this machine, with a container and without"):
        opened(tmp_path, "local", "boxed")
    assert isinstance(opened(tmp_path, "local")[0], LocalBoard)
    assert len(opened(tmp_path, "boxed")) == 1
    written(tmp_path, f'[boxed]\ndocker = "{engine.address}"\n[other]\ndocker = "{engine.address}"\n')
    assert len(opened(tmp_path, "boxed", "other", jetpack="cpu")) == 2, "their engine tells the one from the other"


def test_a_hold_belongs_to_one_board_of_one_results_folder(tmp_path: Path) -> None:
    """So that a second name for the same machine finds it held, and the same name takes its own hold over."""
    one, other = tmp_path / "one", tmp_path / "other"
    owners = [boards._owner(folder, name) for folder in (one, other) for name in ("a", "b")]
    assert len(set(owners)) == 4
    assert boards._owner(one, "a") == owners[0]
