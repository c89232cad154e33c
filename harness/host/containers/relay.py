"""TCP between this machine's loopback and that of a container without a network, over its engine's own connection.

So a board behind SSH is reached through SSH, and nothing listens anywhere but on loopback. Each connection is one
process in the container (`worker/relay.py`), whose standard input and output the engine hands over.
"""

import contextlib
import socket
import threading
from typing import Any, Callable, List, Optional

from docker.errors import DockerException
from docker.utils.socket import STDOUT, frames_iter

from harness.errors import LaunchError
from harness.host.containers.daemon import LOST, Daemon

LOOPBACK = "127.0.0.1"
CHUNK_BYTES = 1 << 16
AGAIN_S = 0.2
GO = b"."
BROKEN = (OSError, LaunchError, DockerException, *LOST)


class Relay:
    """A context manager. `port` of ours leads to the same port in the container, once that runs."""

    def __init__(self, daemon: Daemon, container: Callable[[], Optional[str]], outward: int) -> None:
        """`outward` is a port of ours that is to be reached in the container, at the same number."""
        self._daemon, self._container, self._outward = daemon, container, outward
        self._over = threading.Event()
        self._open: List[Any] = []
        self._listener = socket.socket()
        self._listener.bind((LOOPBACK, 0))
        self._listener.listen(4)
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._accept, self._reach_out)]

    def __enter__(self) -> "Relay":
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in list(self._open):
            _shut(one)
        for thread in self._threads:
            thread.join(AGAIN_S * 10)

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._inward, args=(connection,), daemon=True).start()

    def _inward(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(*BROKEN):
            self._join(connection, self._exec("connect", self.port))

    def _reach_out(self) -> None:
        """Has somebody listen in the container; when one comes, they are led to ours, and the next is listened for."""
        while not self._over.is_set():
            with contextlib.suppress(*BROKEN):
                if self._container() is not None:
                    stream = self._exec("listen", self._outward)
                    frames = frames_iter(stream, tty=False)
                    first = next((data for kind, data in frames if kind == STDOUT), None)
                    if first is not None:
                        threading.Thread(target=self._outward_one, args=(stream, frames, first), daemon=True).start()
                        continue
                    self._forget(stream)
            self._over.wait(AGAIN_S)

    def _outward_one(self, stream: Any, frames: Any, first: bytes) -> None:
        with contextlib.suppress(*BROKEN), socket.create_connection((LOOPBACK, self._outward)) as connection:
            connection.sendall(first)
            self._join(connection, stream, frames)
        self._forget(stream)

    def _exec(self, how: str, port: int) -> Any:
        command = ["python3", "-m", "harness.worker.relay", how, str(port)]
        api = self._daemon.client.api
        made = api.exec_create(self._container(), command, stdin=True, stderr=False)
        stream = api.exec_start(made["Id"], socket=True)
        self._open.append(stream)
        _wire(stream).sendall(GO)
        return stream

    def _join(self, connection: socket.socket, stream: Any, frames: Any = None) -> None:
        """Until either end closes."""
        self._open.append(connection)
        back = threading.Thread(target=_pump, args=(connection, stream), daemon=True)
        back.start()
        with contextlib.suppress(*BROKEN):
            for kind, data in frames or frames_iter(stream, tty=False):
                if kind == STDOUT:
                    connection.sendall(data)
        _shut(connection)
        self._open.remove(connection)
        self._forget(stream)
        back.join()

    def _forget(self, stream: Any) -> None:
        _shut(stream)
        with contextlib.suppress(*BROKEN):
            stream.close()
        with contextlib.suppress(ValueError):
            self._open.remove(stream)


def _pump(connection: socket.socket, stream: Any) -> None:
    with contextlib.suppress(*BROKEN):
        wire = _wire(stream)
        while True:
            data = connection.recv(CHUNK_BYTES)
            if not data:
                break
            wire.sendall(data)
    _shut(stream)


def _wire(stream: Any) -> socket.socket:
    """The SDK hands over what can only be read, around the socket itself."""
    wire: socket.socket = getattr(stream, "_sock", stream)
    return wire


def _shut(end: Any) -> None:
    with contextlib.suppress(*BROKEN, ValueError):
        _wire(end).shutdown(socket.SHUT_RDWR)
