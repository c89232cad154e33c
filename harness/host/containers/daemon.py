"""The Docker engine of a board: where it answers, its errors in words, and waiting for one that went away."""

import contextlib
import os
import socket
import time
from typing import Any, Callable, Dict, Iterator, List, Optional, TypeVar

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException

from harness.errors import LaunchError, PlanError
from harness.host.containers import address as addresses
from harness.host.containers.tunnel import Tunnel

CHUNK_BYTES = 1 << 20
ANSWER_LIMIT_S = 120
"""Longest silence of the engine within one answer; waiting for a worker has its own limit."""
RETRY_S = 0.5
BACK_LIMIT_S = 60.0
"""How long an engine that went away is waited for."""
LOST = (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, ConnectionError, socket.timeout)
"""What a connection that breaks is raised as. Not any OSError: a file of this machine may be meant."""


T = TypeVar("T")


class Lost(LaunchError):
    """The engine does not answer; it may come back."""


class Daemon:
    """One Docker engine. `client` connects at the first use; `reconnect` does so anew."""

    def __init__(self, board: str, address: Optional[str] = None, context: Optional[str] = None) -> None:
        self.board, self.address, self.context = board, address, context
        if address is not None:
            addresses.check(address, f"board {board}")
            self._refuse_without_tls(address, _has_tls())
        self._client: Optional[docker.DockerClient] = None
        self._tunnel: Optional[Tunnel] = None

    @property
    def client(self) -> docker.DockerClient:
        if self._client is None:
            with self.words():
                self._client = self._connected()
        return self._client

    @property
    def endpoint(self) -> Optional[str]:
        """The engine's address, from wherever it is known; None is this machine's own."""
        if self.context is not None:
            host: Optional[str] = self._context().Host
            return host
        return self.address or os.environ.get("DOCKER_HOST") or None

    @property
    def far(self) -> bool:
        """Whether a network lies between."""
        return not addresses.is_here(self.endpoint)

    def options(self) -> List[str]:
        """What leads Docker's own client to this very engine, past the context that its user has chosen.

        Through the tunnel where there is one: a client that calls ssh itself checks host keys only if its user's
        configuration says so.
        """
        if self._tunnel is not None:
            return ["--host", f"unix://{self._tunnel.path}"]
        if self.context is not None:
            return ["--context", self.context]
        return ["--host", self.endpoint] if self.endpoint is not None else ["--context", "default"]

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

    def again(self, action: Callable[[], T]) -> T:
        """What `action` gives, tried once more where the engine went away and came back; else Lost."""
        try:
            with self.words():
                return action()
        except Lost:
            self.wait_until_back()
            with self.words():
                return action()

    @contextlib.contextmanager
    def archive(self, container: str, path: str) -> Iterator[Optional[Iterator[bytes]]]:
        """A tar of `path`, chunk by chunk; None where there is no such path.

        The SDK's own call cannot be left before its end: the engine would go on holding the container for it. Nor is
        compression asked for, as it would be by default: a few bytes of zeros could fill the memory here.
        """
        api = self.client.api
        answer = api.get(
            f"{api.base_url}/v{api.api_version}/containers/{container}/archive",
            params={"path": path},
            headers={"Accept-Encoding": "identity"},
            stream=True,
            timeout=api.timeout,
        )
        with contextlib.closing(answer):
            if answer.status_code == 404 and b"No such container" not in answer.content:
                yield None
            else:
                _check(answer)
                yield answer.iter_content(CHUNK_BYTES)

    def wait_until_back(self) -> None:
        """Returns when the engine answers again; raises Lost where it does not within the limit."""
        end = time.monotonic() + BACK_LIMIT_S
        self.close()
        while not self.answers():
            if time.monotonic() > end:
                raise Lost(
                    f"board {self.board}: the Docker engine{self._where()} went away and did not come back within "
                    f"{BACK_LIMIT_S:g} s; when it does, the same command goes on"
                )
            time.sleep(RETRY_S)

    def close(self) -> None:
        if self._client is not None:
            with contextlib.suppress(Exception):
                self._client.close()
            self._client = None
        if self._tunnel is not None:
            self._tunnel.close()
            self._tunnel = None

    @contextlib.contextmanager
    def words(self) -> Iterator[None]:
        """Turns what the SDK raises into a LaunchError that says what to do; a lost connection into Lost."""
        try:
            yield
        except APIError as error:
            raise LaunchError(f"board {self.board}: Docker refused: {error.explanation or error}") from error
        except (DockerException, *LOST) as error:
            said = self._tunnel.last_words() if self._tunnel is not None else ""
            self.close()
            raise Lost(
                f"board {self.board}: the Docker engine{self._where()} does not answer: {_cure(said or str(error))}"
            ) from error

    def _where(self) -> str:
        place = self.address or self.context or os.environ.get("DOCKER_HOST")
        return f" at {place}" if place else ""

    def _connected(self) -> docker.DockerClient:
        where = addresses.ssh(self.endpoint, f"board {self.board}")
        if where is not None:
            self._tunnel = Tunnel(where)
            return docker.DockerClient(base_url=f"unix://{self._tunnel.path}", timeout=ANSWER_LIMIT_S)
        if self.context is not None:
            found = self._context()
            self._refuse_without_tls(found.Host, bool(found.TLSConfig) and bool(found.TLSConfig.verify))
            _knock(found.Host)
            return docker.DockerClient(base_url=found.Host, tls=found.TLSConfig or False, timeout=ANSWER_LIMIT_S)
        if self.endpoint is not None:
            self._refuse_without_tls(self.endpoint, _has_tls())
        _knock(self.endpoint or docker.constants.DEFAULT_UNIX_SOCKET)
        if self.address is not None and not self.address.startswith("tcp://"):
            return docker.DockerClient(base_url=self.address, timeout=ANSWER_LIMIT_S)
        # The environment's certificates go with an address over TCP too.
        given = {"DOCKER_HOST": self.address} if self.address is not None else {}
        return docker.from_env(timeout=ANSWER_LIMIT_S, environment={**os.environ, **given})

    def _context(self) -> docker.Context:
        found = docker.ContextAPI.get_context(self.context)
        if found is None:
            raise PlanError(f"board {self.board}: there is no Docker context {self.context!r}; see `docker context ls`")
        return found

    def _refuse_without_tls(self, address: str, tls: bool) -> None:
        if not addresses.is_here(address) and not address.startswith("ssh://") and not tls:
            raise PlanError(
                f"board {self.board}: {address} has no TLS that checks who answers, so anyone could take the "
                "board over; use ssh:// or a Docker context with certificates"
            )


def _check(answer: requests.Response) -> None:
    try:
        answer.raise_for_status()
    except requests.exceptions.HTTPError as error:
        raise docker.errors.create_api_error_from_http_exception(error) from error


def _knock(address: str) -> None:
    """Raises DockerException where nobody listens on a socket of this machine: the SDK never closes that connection."""
    _, here, path = address.partition("unix://")
    if not here:
        return
    with socket.socket(socket.AF_UNIX) as knock:
        try:
            knock.settimeout(ANSWER_LIMIT_S)
            knock.connect(path)
        except OSError as error:
            raise DockerException(f"{path}: {error.strerror or error}") from error


def _has_tls() -> bool:
    return bool(os.environ.get("DOCKER_TLS_VERIFY"))


def _cure(text: str) -> str:
    if "Host key verification failed" in text:
        return "ssh does not know the board's host key; connect once by hand and compare it"
    if text.startswith("ssh: ") or "(publickey" in text:
        return f"{text}; try ssh to it by hand"
    if "permission denied" in text.lower() or "PermissionError" in text:
        return "this user may not use it; join the docker group (sudo usermod -aG docker $USER, then log in again)"
    if "FileNotFoundError" in text or "No such file" in text or "Connection refused" in text:
        return "it is not running; start it (sudo systemctl start docker), or install it (apt-get install docker.io)"
    return text.strip().splitlines()[-1][:300] if text.strip() else "no reason given"
