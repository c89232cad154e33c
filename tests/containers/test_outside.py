"""What is read of a board from outside: files in their real form, here and through a program that stands for ssh."""

from pathlib import Path
from typing import Optional

import pytest

from harness.errors import LaunchError
from harness.host.containers import glance, outside
from tests.containers.conftest import Ssh

DATE = "EABI: aarch64, DATE: Tue Aug  1 19:57:35 UTC 2023"
GROUPS = "root:x:0:\nvideo:x:44:gdm,me\nvideogame:x:45:\nrender:x:109:\nbroken\nrender\nvideo:x:many:\n"


def files(release: str = "", model: str = "", groups: str = "") -> "dict[str, str]":
    return dict(zip(outside.WANTED.texts, (release, model, groups)))


def seen(**texts: str) -> glance.Seen:
    return glance.Seen(files(**texts), {}, {})


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
    assert outside.parse(seen(release=release)).l4t == l4t


def test_model_and_groups() -> None:
    found = outside.parse(seen(model="NVIDIA Jetson AGX Xavier\0", groups=GROUPS))
    assert found == outside.Outside(None, "NVIDIA Jetson AGX Xavier", [44, 109])
    assert outside.parse(seen(model="\0")).module is None
    assert outside.parse(seen()) == outside.Outside(None, None, [])


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
    script = f"'R={tmp_path}/board; ' + sys.argv[-1].partition('; ')[2]"
    calls = ssh(f"os.execv('/bin/sh', ['sh', '-c', {script}])")
    found = outside.look("ssh://me@lab:2222", "lab")
    assert found == outside.Outside("35.4.1", "NVIDIA Jetson AGX Xavier", [44, 109])
    assert [call[:-1] for call in calls()] == [
        ["-T", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-p", "2222", "-l", "me", "--", "lab"]
    ]
    assert calls()[0][-1].startswith("R=''; PATH=")
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
    monkeypatch.setattr(glance, "LIMIT_S", 0.5)
    ssh(body)
    with pytest.raises(LaunchError) as caught:
        outside.look("ssh://me@lab", "xavier")
    assert str(caught.value) == f"board xavier: ssh to lab did not work: {said}"


def test_no_ssh_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LaunchError, match="board lab: ssh to lab did not work: No such file or directory: ssh"):
        outside.look("ssh://lab", "lab")


def test_the_power_mode_as_nvpmodel_says_it(tmp_path: Path) -> None:
    tool = tmp_path / "usr/sbin/nvpmodel"
    tool.parent.mkdir(parents=True)
    tool.write_text('#!/bin/sh\n[ "$1" = -q ] && printf "NV Fan Mode:quiet\\nNV Power Mode: MODE_30W_ALL\\n3\\n"\n')
    tool.chmod(0o755)
    assert outside.look(None, "local", tmp_path).power_mode == "MODE_30W_ALL"
    tool.write_text("#!/bin/sh\nexit 1\n")
    assert outside.look(None, "local", tmp_path).power_mode is None


def test_files_are_told_from_one_another_whatever_they_hold(tmp_path: Path) -> None:
    """Without a newline at the end, with the characters of a shell in name and text, and below a root with a space."""
    root = tmp_path / "a $(touch x) root"
    for name, data in {"a/1.so": b"", "a/2.so": b"12345", "b": b"no newline", "c d": b"$HOME `id`\n\n"}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    (root / "a/3.so").symlink_to("2.so")
    (root / "a/4.so").symlink_to("nowhere")
    found = glance.read(None, "x", glance.Wanted(["/b", "/c*", "/none", "/a"], ["/a/*.so"], ["false"]), root)
    assert {name: text.strip() for name, text in found.texts.items()} == {"/b": "no newline", "/c d": "$HOME `id`"}
    assert found.sizes == {"/a/1.so": 0, "/a/2.so": 5, "/a/3.so": 5}
    assert found.said == {"false": ""}
    assert not list(tmp_path.rglob("x"))
