"""The Docker engine of a board: where it answers, its errors in words, and waiting for one that went away."""

import contextlib
import os
import time
from typing import Any, Dict, Iterator, Optional

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException

from harness.errors import LaunchError, PlanError

ANSWER_LIMIT_S = 120
"""Longest silence of the engine within one answer; waiting for a worker has its own limit."""
RETRY_S = 0.5
LOST = (
    requests.exceptions.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    urllib3.exceptions.HTTPError,
    OSError,
)
"""What a connection that breaks is raised as."""


class Lost(LaunchError):
    """The engine does not answer; it may come back."""


class Daemon:
    """One Docker engine. `client` connects at the first use; `reconnect` does so anew."""

    def __init__(self, board: str, address: Optional[str] = None, context: Optional[str] = None) -> None:
        self.board, self.address, self.context = board, address, context
        if address is not None and address.startswith(("tcp://", "http://")) and not _has_tls():
            raise PlanError(
                f"board {board}: {address} has no TLS, so anyone could take the board over; use ssh:// or a Docker "
                "context with certificates"
            )
        self._client: Optional[docker.DockerClient] = None

    @property
    def client(self) -> docker.DockerClient:
        if self._client is None:
            with self.words():
                self._client = self._connected()
        return self._client

    def info(self) -> Dict[str, Any]:
        with self.words():
            found: Dict[str, Any] = self.client.info()
            return found

    def answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except (LaunchError, DockerException, *LOST):
            self.close()
            return False

    def wait_until_back(self, limit_s: float) -> bool:
        """Whether the engine answers again within the limit."""
        end = time.monotonic() + limit_s
        self.close()
        while not self.answers():
            if time.monotonic() > end:
                return False
            time.sleep(RETRY_S)
        return True

    def close(self) -> None:
        if self._client is not None:
            with contextlib.suppress(Exception):
                self._client.close()
            self._client = None

    @contextlib.contextmanager
    def words(self) -> Iterator[None]:
        """Turns what the SDK raises into a LaunchError that says what to do; a lost connection into Lost."""
        try:
            yield
        except APIError as error:
            raise LaunchError(f"board {self.board}: Docker refused: {error.explanation or error}") from error
        except (DockerException, *LOST) as error:
            self.close()
            raise Lost(
                f"board {self.board}: the Docker engine{self._where()} does not answer: {_cure(error)}"
            ) from error

    def _where(self) -> str:
        place = self.address or self.context or os.environ.get("DOCKER_HOST")
        return f" at {place}" if place else ""

    def _connected(self) -> docker.DockerClient:
        if self.context is not None:
            found = docker.ContextAPI.get_context(self.context)
            if found is None:
                raise PlanError(
                    f"board {self.board}: there is no Docker context {self.context!r}; see `docker context ls`"
                )
            return docker.DockerClient(base_url=found.Host, tls=found.TLSConfig or False, timeout=ANSWER_LIMIT_S)
        if self.address is None:
            return docker.from_env(timeout=ANSWER_LIMIT_S)
        # The system's own ssh: its agent, its known hosts, its configuration.
        return docker.DockerClient(
            base_url=self.address, timeout=ANSWER_LIMIT_S, use_ssh_client=self.address.startswith("ssh://")
        )


def _has_tls() -> bool:
    return bool(os.environ.get("DOCKER_TLS_VERIFY"))


def _cure(error: BaseException) -> str:
    text = str(error)
    if "FileNotFoundError" in text or "No such file" in text or "Connection refused" in text:
        return "it is not running; start it (sudo systemctl start docker), or install it (apt-get install docker.io)"
    if "PermissionError" in text or "Permission denied" in text:
        return "this user may not use it; join the docker group (sudo usermod -aG docker $USER, then log in again)"
    if "Host key verification failed" in text:
        return "ssh does not know the board's host key; connect once by hand and compare it"
    return text.strip().splitlines()[-1][:300] if text.strip() else type(error).__name__
