"""Nothing of a fleet outlives its host, and what a server or tracker lacks is said."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, List

import pytest

from harness import fleet
from harness.backends._tvm_tuning import fleet_tracker
from harness.errors import LaunchError, Unsupported
from harness.worker.serve import serve
from tests.fleet.boards import Ground, server_of

ROOT = Path(__file__).resolve().parents[2]
HOST = """
import sys, time
from pathlib import Path
from tests.fleet.boards import Ground
with Ground(Path(sys.argv[1]), {}).fleet("a") as fleet:
    print("up", flush=True)
    time.sleep(60)
"""


def workers(folder: Path) -> List[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder) in path.read_text() and "harness.worker" in path.read_text():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_a_host_that_is_killed_leaves_no_tracker_and_no_server(libraries: Dict[str, Path], tmp_path: Path) -> None:
    host = subprocess.Popen([sys.executable, "-c", HOST, str(tmp_path)], cwd=str(ROOT), stdout=subprocess.PIPE)
    try:
        assert host.stdout is not None
        assert host.stdout.readline() == b"up\n"
        end = time.monotonic() + 30
        while server_of("a", tmp_path) is None and time.monotonic() < end:
            time.sleep(0.05)
        assert len(workers(tmp_path)) == 2
    finally:
        host.kill()
        host.wait()
        host.stdout.close()
    end = time.monotonic() + 30
    while workers(tmp_path) and time.monotonic() < end:
        time.sleep(0.05)
    assert workers(tmp_path) == []


@pytest.mark.skipif(sys.version_info >= (3, 10), reason="TVM publishes a wheel for this Python")
def test_a_board_without_tvm_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="TVM publishes no wheel"):
        serve(fleet.ServeJob(tracker_port=1, key="x", threads=1, folder=str(tmp_path / "sessions")))


@pytest.mark.parametrize("how", ["connect", "listen"])
def test_a_relay_carries_both_ways_and_ends_with_either(how: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        if how == "connect":
            listener.listen(1)
    if how == "connect":
        listener = socket.create_server(("127.0.0.1", port))
    relay = subprocess.Popen(
        [sys.executable, "-m", "harness.worker.relay", how, str(port)],
        cwd=str(ROOT),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    assert relay.stdin is not None
    assert relay.stdout is not None
    try:
        relay.stdin.write(b".")
        there = listener.accept()[0] if how == "connect" else connected(port)
        payload = os.urandom(300_000)
        relay.stdin.write(payload)
        assert received(there, len(payload)) == payload
        there.sendall(payload[::-1])
        back = b""
        while len(back) < len(payload):
            back += relay.stdout.read(1 << 16)
        assert back == payload[::-1]
        there.close()
        assert relay.wait(30) == 0
    finally:
        if relay.poll() is None:
            relay.send_signal(signal.SIGKILL)
        relay.stdin.close()
        relay.stdout.close()
        relay.wait()
        listener.close()


def connected(port: int) -> socket.socket:
    end = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            assert time.monotonic() < end, "the relay does not listen"
            time.sleep(0.02)


def received(end: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = end.recv(1 << 16)
        assert part
        data += part
    return data


@pytest.mark.skipif(sys.version_info >= (3, 10), reason="TVM publishes a wheel for this Python")
def test_a_machine_without_tvm_starts_no_tracker_and_says_why(tmp_path: Path) -> None:
    ground = Ground(tmp_path, {})
    with pytest.raises(LaunchError, match="tracker did not start here: TVM publishes no wheel"), ground.fleet("a"):
        pass


def test_a_tracker_that_lacks_a_package_names_it(libraries: Dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tornado", None)
    monkeypatch.delitem(sys.modules, "tvm.rpc.tracker", raising=False)
    with pytest.raises(Unsupported, match="install tornado"):
        fleet_tracker.track(lambda port: None)
