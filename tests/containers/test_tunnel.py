"""The way to an engine over ssh: real connections through a program that stands for ssh, to a server on a socket."""

import errno
import http.server
import json
import os
import socketserver
import threading
import time
from pathlib import Path
from typing import Iterator

import pytest

from harness.errors import LaunchError, PlanError
from harness.host.containers.daemon import Daemon, Lost
from tests.containers.conftest import Ssh

RELAY = """
import socket, threading
away = socket.socket(socket.AF_UNIX)
away.connect({path!r})
def back():
    while True:
        data = away.recv(65536)
        if not data:
            os._exit(0)
        os.write(1, data)
threading.Thread(target=back, daemon=True).start()
while True:
    data = os.read(0, 65536)
    if not data:
        os._exit(0)
    away.sendall(data)
"""


class Answers(http.server.BaseHTTPRequestHandler):
    """As little of Docker's API as `version` and `ping` need, and one answer that never comes."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.endswith("/info"):
            time.sleep(5)
        version = json.dumps({"ApiVersion": "1.41", "Version": "20.10"}).encode()
        data = b"OK" if self.path.endswith("/_ping") else version
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def address_string(self) -> str:
        return "socket"

    def log_message(self, *_: object) -> None:
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False


@pytest.fixture()
def relay(tmp_path: Path) -> Iterator[str]:
    """What the stand-in for ssh does: it connects to the server, as `docker system dial-stdio` would there."""
    path = str(tmp_path / "engine.sock")
    with Server(path, Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield RELAY.format(path=path)
        server.shutdown()
        thread.join()


def test_the_sdk_talks_through_it(ssh: Ssh, relay: str) -> None:
    calls = ssh(relay)
    daemon = Daemon("lab", "ssh://me@lab:2222")
    assert daemon.far
    assert daemon.client.version()["Version"] == "20.10"
    assert daemon.answers()
    words = calls()[0]
    assert words[:3] == ["-T", "-o", "BatchMode=yes"]
    assert words[-6:] == ["2222", "-l", "me", "--", "lab", "docker system dial-stdio"]
    assert "ControlMaster=auto" in words, "one connection for all"
    started = list(daemon._tunnel._started)  # type: ignore[union-attr]
    folder = daemon._tunnel.path.parent  # type: ignore[union-attr]
    assert oct(folder.stat().st_mode)[-3:] == "700"
    daemon.close()
    assert not folder.exists()
    assert all(one.returncode is not None for one in started)


def test_time_limits_hold_through_it(ssh: Ssh, relay: str) -> None:
    ssh(relay)
    daemon = Daemon("lab", "ssh://lab")
    daemon.client.api.timeout = 0.3
    start = time.monotonic()
    with pytest.raises(Lost):
        daemon.info()
    assert time.monotonic() - start < 30
    daemon.close()


def test_it_comes_back_with_the_engine(ssh: Ssh, relay: str) -> None:
    ssh("sys.exit(255)")
    daemon = Daemon("lab", "ssh://lab")
    assert not daemon.answers()
    ssh(relay)
    assert daemon.answers()
    daemon.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("Host key verification failed.", "ssh does not know the board's host key"),
        ("me@lab: Permission denied (publickey,password).", r"Permission denied \(publickey,password\)\.; try ssh"),
        ("ssh: connect to host lab port 22: Connection refused", "port 22: Connection refused; try ssh to it by hand"),
        ("sh: 1: docker: not found", "docker: not found"),
    ],
)
def test_ssh_in_its_own_words(ssh: Ssh, words: str, said: str) -> None:
    ssh(f"sys.stderr.write({words!r} + '\\n'); sys.exit(255)")
    with pytest.raises(LaunchError, match=f"board lab: the Docker engine at ssh://lab does not answer: .*{said}"):
        _ = Daemon("lab", "ssh://lab").client


def test_no_ssh_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LaunchError, match="ssh: No such file or directory: ssh"):
        _ = Daemon("lab", "ssh://lab").client


def test_an_engine_over_the_network_without_tls_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_TLS_VERIFY", raising=False)
    with pytest.raises(
        PlanError,
        match="board lab: tcp://lab:2375 has no TLS that checks who answers, so anyone could take the board over",
    ):
        Daemon("lab", "tcp://lab:2375")


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "TCP://127.0.0.1:9", "http://127.0.0.1:9", "127.0.0.1:9"])
def test_the_environments_engine_is_refused_without_tls_too(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_TLS_VERIFY", raising=False)
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(PlanError, match=f"board local: {address} has no TLS that checks who answers"):
        _ = Daemon("local").client


def test_certificates_of_the_environment_are_used_where_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DOCKER_TLS_VERIFY without certificates must not end in a connection without TLS."""
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    with pytest.raises(LaunchError, match=r"(?i)certificate|tls|ca_cert|path"):
        _ = Daemon("lab", "tcp://127.0.0.1:9").client


def test_a_context_is_asked_where_it_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Facts of a board behind a context are the board's, not this machine's."""
    import hashlib

    from docker.context import config, context

    for name, host in (("lab", "ssh://me@lab"), ("bare", "tcp://lab:2375"), ("blind", "tcp://lab:2376")):
        folder = tmp_path / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
        folder.mkdir(parents=True)
        meta = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": name == "blind"}}}
        (folder / "meta.json").write_text(json.dumps(meta))
        if name == "blind":
            certificates = tmp_path / "contexts" / "tls" / folder.name / "docker"
            certificates.mkdir(parents=True)
            for file in ("ca.pem", "cert.pem", "key.pem"):
                (certificates / file).touch()
    for module in (config, context):
        if hasattr(module, "get_context_dir"):
            monkeypatch.setattr(module, "get_context_dir", lambda: str(tmp_path / "contexts"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    daemon = Daemon("lab", context="lab")
    assert daemon.endpoint == "ssh://me@lab"
    assert daemon.far
    with pytest.raises(PlanError, match="tcp://lab:2375 has no TLS"):
        _ = Daemon("lab", context="bare").client
    with pytest.raises(PlanError, match="tcp://lab:2376 has no TLS that checks who answers"):
        _ = Daemon("lab", context="blind").client
    with pytest.raises(PlanError, match="board lab: there is no Docker context 'none'; see `docker context ls`"):
        _ = Daemon("lab", context="none").endpoint


def test_the_environments_own_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "ssh://me@lab")
    assert Daemon("local").endpoint == "ssh://me@lab"
    assert Daemon("local", "unix:///x").endpoint == "unix:///x"
    monkeypatch.delenv("DOCKER_HOST")
    assert Daemon("local").endpoint is None
    assert not Daemon("local").far
    assert os.environ.get("DOCKER_HOST") is None


def test_trouble_with_a_file_of_this_machine_is_not_laid_to_the_engine() -> None:
    """Answers are written to disk while they are read: a full one is no reason to restart Docker."""
    with pytest.raises(OSError, match="No space left on device") as caught, Daemon("lab", "unix:///x").words():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "results/engines/x")
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(Lost, match="does not answer"), Daemon("lab", "unix:///x").words():
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def test_dockers_own_client_is_led_to_the_same_engine(
    ssh: Ssh, relay: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own ssh would take any host key where the user's configuration does; its user may have chosen a context."""
    ssh(relay)
    daemon = Daemon("lab", "ssh://lab")
    _ = daemon.client
    assert daemon.options() == ["--host", f"unix://{daemon._tunnel.path}"]  # type: ignore[union-attr]
    daemon.close()
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    assert Daemon("local").options() == ["--context", "default"]
    assert Daemon("lab", context="lab").options() == ["--context", "lab"]
    assert Daemon("local", "unix:///x").options() == ["--host", "unix:///x"]
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/engine.sock")
    assert Daemon("local").options() == ["--host", f"unix://{tmp_path}/engine.sock"]


@pytest.mark.parametrize(
    "words",
    [
        "PermissionError(13, 'Permission denied')",
        "Got permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
    ],
)
def test_a_user_who_may_not_use_docker_is_told_which_group(ssh: Ssh, words: str) -> None:
    ssh(f"sys.stderr.write({words!r} + '\\n'); sys.exit(1)")
    with pytest.raises(LaunchError, match="this user may not use it; join the docker group"):
        _ = Daemon("lab", "ssh://lab").client
