"""Addresses of engines: what may be written, and that none becomes an option or a command."""

import pytest

from harness.errors import PlanError
from harness.host.containers import address

HEAD = ["ssh", "-T", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("ssh://xavier", ["--", "xavier", "true"]),
        ("ssh://xavier/", ["--", "xavier", "true"]),
        ("ssh://me@10.0.0.5", ["-l", "me", "--", "10.0.0.5", "true"]),
        ("ssh://me@lab.example.org:2222", ["-p", "2222", "-l", "me", "--", "lab.example.org", "true"]),
        ("ssh://me@[fe80::1]:22", ["-p", "22", "-l", "me", "--", "fe80::1", "true"]),
        ("ssh://under_scored@a_b", ["-l", "under_scored", "--", "a_b", "true"]),
    ],
)
def test_user_and_port_become_options_and_nothing_else_does(text: str, command: "list[str]") -> None:
    found = address.ssh(text, "board lab")
    assert found is not None
    assert found.command("true") == HEAD + command


@pytest.mark.parametrize("text", [None, "unix:///var/run/docker.sock", "tcp://lab:2376"])
def test_other_addresses_are_no_ssh(text: "str | None") -> None:
    assert address.ssh(text, "board lab") is None
    if text:
        address.check(text, "board lab")


@pytest.mark.parametrize(
    "text",
    [
        "ssh://-oProxyCommand=touch%20x",
        "ssh://-l@lab",
        "ssh://-oProxyCommand=x@lab",
        "ssh://lab:-1",
        "ssh://lab:port",
        "ssh://lab:222222",
        "ssh://lab;touch x",
        "ssh://$(touch x)",
        "ssh://`id`@lab",
        "ssh://lab x",
        "ssh://lab\nx",
        "ssh://lab\n",
        "ssh://lab/path",
        "ssh://lab?a=b",
        "ssh://",
        "ssh:lab",
        "ssh://l\u00e4b",
        "xavier",
        "me@xavier",
        "http://lab:2375",
        "file:///etc/passwd",
        "unix://relative",
        "",
        " ",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(
        PlanError, match=r"is no address of an engine; write ssh://user@host:port, unix:///path or"
    ) as one:
        address.check(text, "[lab]: docker")
    assert str(one.value).startswith("[lab]: docker: ")
    assert str(one.value).isprintable()


@pytest.mark.parametrize("text", ["ssh://me:hunter2@lab", "ssh://:hunter2@lab:22", "tcp://me:hunter2@lab:2376"])
def test_a_password_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(PlanError, match="the address holds a password, and this file no secrets; give ssh") as one:
        address.check(text, "[lab]: docker")
    assert "hunter2" not in str(one.value)


def test_whether_a_network_lies_between() -> None:
    assert address.is_here(None)
    assert address.is_here("unix:///run/docker.sock")
    assert not address.is_here("ssh://lab")
    assert not address.is_here("tcp://localhost:2376")
