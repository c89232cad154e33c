"""A socket of this machine that leads to a board's Docker engine over the system's own ssh, one process a connection.

The SDK's own ssh transport needs a library of another licence, and does not keep time limits over the ssh client.
"""

import atexit
import contextlib
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import IO, List

from harness.host.containers.address import Ssh

REMOTE = "docker system dial-stdio"
"""Docker's own command for this: its standard input and output become a connection to its engine."""

SHARED = ["-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-o", "ServerAliveInterval=10"]
"""One connection for all, where each would take a second to open; a silent one is given up after half a minute."""

LONGEST = 104 - len("/") - 40 - 17 - 1
"""Of a folder for ssh's own socket in it, whose name is a hash and, while it is made, a suffix."""


class Tunnel:
    """Open from the start; `close` ends what it started."""

    def __init__(self, where: Ssh) -> None:
        self._folder = tempfile.mkdtemp(prefix="harness-ssh-")  # nobody else's, as mkdtemp makes it
        self._where, self._options = where, [*SHARED, "-o", f"ControlPath={self._folder}/%C"]
        if len(self._folder) > LONGEST:
            self._options = []
        self._command = where.command(REMOTE, *self._options)
        self.path = Path(self._folder) / "docker.sock"
        self._said: IO[bytes] = (Path(self._folder) / "said").open("w+b")
        self._started: "List[subprocess.Popen[bytes]]" = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(16)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def last_words(self) -> str:
        """What ssh said last, for the error message."""
        with contextlib.suppress(OSError, ValueError):
            lines = (Path(self._folder) / "said").read_bytes().decode("utf-8", "replace").strip().splitlines()
            return lines[-1][:300] if lines else ""
        return ""

    def close(self) -> None:
        atexit.unregister(self.close)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for one in self._started:
            if one.poll() is None:
                one.terminate()
            one.wait()
        if self._started and self._options:  # the connection that they shared
            leave = self._where.command("", *self._options, "-O", "exit")
            subprocess.run(leave, stdin=subprocess.DEVNULL, stdout=self._said, stderr=self._said, check=False)
        self._said.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._started = [one for one in self._started if one.poll() is None]
            with connection:
                try:
                    self._started.append(
                        subprocess.Popen(
                            self._command,
                            stdin=connection.fileno(),
                            stdout=connection.fileno(),
                            stderr=self._said,
                            start_new_session=True,  # Ctrl-C reaches the host alone
                        )
                    )
                except OSError as error:
                    self._said.write(f"ssh: {error.strerror}: {error.filename}\n".encode())
                    self._said.flush()
