"""What is read of a board from outside: files in their real form, here and through a program that stands for ssh."""

from pathlib import Path
from typing import Optional

import pytest

from harness.errors import LaunchError
from harness.host.containers import outside
from tests.containers.conftest import Ssh

DATE = "EABI: aarch64, DATE: Tue Aug  1 19:57:35 UTC 2023"
GROUPS = "root:x:0:\nvideo:x:44:gdm,me\nvideogame:x:45:\nrender:x:109:\nbroken\nrender\nvideo:x:many:\n"


def files(release: str = "", model: str = "", groups: str = "") -> "dict[str, str]":
    return dict(zip(outside.FILES, (release, model, groups)))


@pytest.mark.parametrize(
    ("release", "l4t"),
    [
        (f"# R32 (release), REVISION: 7.6, GCID: 38171779, BOARD: t186ref, {DATE}\n", "32.7.6"),
        (f"# R35 (release), REVISION: 3.1, GCID: 32790763, BOARD: t186ref, {DATE}", "35.3.1"),
        (f"# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, {DATE}\n# KERNEL_VARIANT: oot\n", "36.4.3"),
        (f"# R38 (release), REVISION: 2.0, GCID: 41844464, BOARD: generic, {DATE}\nINSTALL_TYPE=\n", "38.2.0"),
        ("", None),
        ("35.3.1\n", None),
        ("# R35 (release), REVISION: ,", None),
    ],
)
def test_releases_in_their_real_form(release: str, l4t: Optional[str]) -> None:
    assert outside.parse(files(release)).l4t == l4t


def test_model_and_groups() -> None:
    found = outside.parse(files(model="NVIDIA Jetson AGX Xavier\0", groups=GROUPS))
    assert found == outside.Outside(None, "NVIDIA Jetson AGX Xavier", [44, 109])
    assert outside.parse(files(model="\0")).module is None
    assert outside.parse(files()) == outside.Outside(None, None, [])


def test_this_machines_own_files(tmp_path: Path) -> None:
    for name, text in files("# R36 (release), REVISION: 4.3, x", "Orin\0", "video:x:44:\n").items():
        path = tmp_path / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    expected = outside.Outside("36.4.3", "Orin", [44])
    assert outside.look(None, "local", tmp_path) == expected
    assert outside.look("unix:///var/run/docker.sock", "local", tmp_path) == expected
    assert outside.look(None, "local", tmp_path / "none") == outside.Outside(None, None, [])


def test_an_engine_behind_a_bare_socket_tells_nothing() -> None:
    assert outside.look("tcp://lab:2376", "lab") == outside.Outside(None, None, [])


def test_over_ssh_the_same_files_are_read(ssh: Ssh, tmp_path: Path) -> None:
    """The stand-in runs what it was given with a real shell, below a folder that stands for the board."""
    for name, text in files("# R35 (release), REVISION: 4.1, x\n", "NVIDIA Jetson AGX Xavier\0", GROUPS).items():
        path = tmp_path / "board" / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    script = f"sys.argv[-1].replace('cat /', 'cat {tmp_path}/board/')"
    calls = ssh(f"os.execv('/bin/sh', ['sh', '-c', {script}])")
    found = outside.look("ssh://me@lab:2222", "lab")
    assert found == outside.Outside("35.4.1", "NVIDIA Jetson AGX Xavier", [44, 109])
    assert [call[:-1] for call in calls()] == [["-T", "-o", "BatchMode=yes", "-p", "2222", "-l", "me", "--", "lab"]]
    assert calls()[0][-1].startswith("cat /etc/nv_tegra_release 2>/dev/null; ")
    for path in (tmp_path / "board").rglob("*"):
        if path.is_file():
            path.unlink()
    assert outside.look("ssh://me@lab", "lab") == outside.Outside(None, None, [])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "sys.stderr.write('banner\\nPermission denied (publickey).\\n'); sys.exit(255)",
            "Permission denied (publickey).",
        ),
        ("sys.exit(255)", "no reason given"),
        ("import time; time.sleep(60)", "no answer within 0.5 s"),
    ],
)
def test_why_ssh_did_not_work(ssh: Ssh, body: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "SSH_LIMIT_S", 0.5)
    ssh(body)
    with pytest.raises(LaunchError) as caught:
        outside.look("ssh://me@lab", "xavier")
    assert str(caught.value) == f"board xavier: ssh to lab did not work: {said}"


def test_no_ssh_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LaunchError, match="board lab: ssh to lab did not work: No such file or directory: ssh"):
        outside.look("ssh://lab", "lab")
