"""TCP between this machine's loopback and that of a container without a network, over its engine's own connection.

So a board behind SSH is reached through SSH, and nothing listens anywhere but on loopback. Each connection is one
process in the container (`worker/relay.py`), whose standard input and output the engine hands over.
"""

import contextlib
import socket
import threading
from typing import Any, Callable, Iterator, List, Optional, Tuple, Union

from docker.errors import DockerException
from docker.utils.socket import STDOUT, frames_iter

from harness.errors import LaunchError
from harness.host.containers.daemon import LOST, Daemon

LOOPBACK = "127.0.0.1"
CHUNK_BYTES = 1 << 16
AGAIN_S, END_S = 0.2, 2.0
GO = b"."
BROKEN = (OSError, ValueError, LaunchError, DockerException, *LOST)
"""What a connection ends with, however it ends."""


class Stream:
    """Standard input and output of a process in a container, as the SDK hands them over: made to be read alone."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._wire: socket.socket = getattr(raw, "_sock", raw)
        self._frames: Iterator[Tuple[int, bytes]] = frames_iter(raw, tty=False)

    def sendall(self, data: bytes) -> None:
        self._wire.sendall(data)

    def recv(self, _most: int) -> bytes:
        """What it printed next; empty at its end."""
        return next((data for kind, data in self._frames if kind == STDOUT), b"")

    def shutdown(self, how: int) -> None:
        self._wire.shutdown(how)

    def close(self) -> None:
        for one in (getattr(self._raw, "_response", None), self._raw, self._wire):  # the SDK ties them together
            with contextlib.suppress(Exception):
                one.close()  # type: ignore[union-attr]


End = Union[Stream, socket.socket]


class Relay:
    """A context manager. `port` of ours leads to the same port in the container, once that runs."""

    def __init__(self, daemon: Daemon, container: Callable[[], Optional[str]], outward: int) -> None:
        """`outward` is a port of ours that is to be reached in the container, at the same number."""
        self._daemon, self._container, self._outward = daemon, container, outward
        self._over = threading.Event()
        self._open: List[End] = []
        self._threads: List[threading.Thread] = []
        self._listener = socket.socket()
        self._listener.bind((LOOPBACK, 0))
        self._listener.listen(4)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> "Relay":
        self._begin(self._accept)
        self._begin(self._reach_out)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        _shut(self._listener)
        self._listener.close()
        for one in list(self._open):
            _shut(one)
        for thread in list(self._threads):
            thread.join(END_S)

    def _begin(self, target: Callable[..., None], *given: object) -> None:
        thread = threading.Thread(target=target, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._begin(self._inward, connection)

    def _inward(self, connection: socket.socket) -> None:
        with contextlib.closing(connection), contextlib.suppress(*BROKEN), self._process(
            "connect", self.port
        ) as stream:
            self._join(connection, stream)

    def _reach_out(self) -> None:
        """Has somebody listen in the container, and the next one as soon as that one has been found."""
        while not self._over.is_set():
            if self._container() is not None:
                found = threading.Event()
                self._begin(self._outward_one, found)
                found.wait()
            self._over.wait(AGAIN_S)

    def _outward_one(self, found: threading.Event) -> None:
        try:
            with contextlib.suppress(*BROKEN), self._process("listen", self._outward) as stream:
                first = stream.recv(CHUNK_BYTES)
                found.set()
                if first:
                    with socket.create_connection((LOOPBACK, self._outward)) as connection:
                        connection.sendall(first)
                        self._join(connection, stream)
        finally:
            found.set()

    @contextlib.contextmanager
    def _process(self, how: str, port: int) -> Iterator[Stream]:
        command = ["python3", "-m", "harness.worker.relay", how, str(port)]
        api = self._daemon.client.api
        made = api.exec_create(self._container(), command, stdin=True, stderr=False)
        stream = Stream(api.exec_start(made["Id"], socket=True))
        with contextlib.closing(stream), self._known(stream):
            stream.sendall(GO)
            yield stream

    @contextlib.contextmanager
    def _known(self, end: End) -> Iterator[None]:
        """`__exit__` ends who waits for it."""
        self._open.append(end)
        try:
            yield
        finally:
            self._open.remove(end)

    def _join(self, connection: socket.socket, stream: Stream) -> None:
        """Until either end closes."""
        with self._known(connection):
            back = threading.Thread(target=_pump, args=(connection, stream), daemon=True)
            back.start()
            _pump(stream, connection)
            back.join()


def _pump(source: End, sink: End) -> None:
    with contextlib.suppress(*BROKEN):
        while True:
            data = source.recv(CHUNK_BYTES)
            if not data:
                break
            sink.sendall(data)
    _shut(source)
    _shut(sink)


def _shut(end: End) -> None:
    with contextlib.suppress(*BROKEN):
        end.shutdown(socket.SHUT_RDWR)
