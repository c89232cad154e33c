"""Holds a board while it measures, and is the door to its two stores: one container with a name that only one can have.

It reads its standard input, which is a connection of ours, and ends when that closes: when this process dies, however
it dies, the board is free. Docker then removes the container by itself.
"""

import contextlib
import time
from typing import Any, Mapping, Optional

from docker.errors import APIError, NotFound
from docker.types import Mount

from harness.errors import LaunchError
from harness.host.containers import archive, labels, privilege
from harness.host.containers.daemon import Daemon

COMPLETE = ".complete"
"""Written into a folder of a store after everything else in it: without it the folder counts as absent."""
TAKEN_TRIES = 20
TRY_AGAIN_S = 0.25


class Keeper:
    """A context manager. Raises LaunchError where someone else measures on the board."""

    def __init__(self, daemon: Daemon, image: str) -> None:
        self._daemon, self._image = daemon, image
        self._id: Optional[str] = None
        self._line: Any = None

    def __enter__(self) -> "Keeper":
        with self._daemon.words():
            self._take()
        return self

    def __exit__(self, *_: object) -> None:
        """Removes the container; what cannot be reached any more ends by itself."""
        if self._line is not None:
            for end in (getattr(self._line, "_response", None), self._line):  # the SDK ties the one to the other
                with contextlib.suppress(Exception):
                    end.close()  # type: ignore[union-attr]
        if self._id is not None:
            with contextlib.suppress(Exception):
                self._daemon.client.api.remove_container(self._id, force=True)
        self._line = self._id = None

    def has(self, path: str) -> bool:
        """Whether a store holds `path` (`/engines/<key>`, `/models/<name>`) whole."""
        with self._daemon.words():
            try:
                stream, _ = self._daemon.client.api.get_archive(self._id, f"{path}/{COMPLETE}")
            except NotFound:
                return False
            with contextlib.suppress(Exception):
                stream.close()
            return True

    def put(self, path: str, files: Mapping[str, bytes]) -> None:
        """Puts a folder into a store; it counts only when all of it has arrived."""
        root, _, name = path.rpartition("/")
        with self._daemon.words():
            for some in ({f"{name}/{file}": data for file, data in files.items()}, {f"{name}/{COMPLETE}": b""}):
                if not self._daemon.client.api.put_archive(self._id, root, archive.pack(some, privilege.USER)):
                    raise LaunchError(f"board {self._daemon.board}: {root} took nothing; is its disk full?")

    def _take(self) -> None:
        api = self._daemon.client.api
        for volume in (labels.ENGINES, labels.MODELS):
            api.create_volume(volume, labels=labels.labels("store"))
        mounts = [Mount("/engines", labels.ENGINES), Mount("/models", labels.MODELS)]
        host = api.create_host_config(auto_remove=True, **privilege.least(mounts, privilege.Limits(processes=8)))
        for _ in range(TAKEN_TRIES):
            try:
                made = api.create_container(
                    self._image,
                    command=["cat"],
                    name=labels.MEASURING,
                    stdin_open=True,
                    labels=labels.labels("keeper"),
                    user=str(privilege.USER),
                    host_config=host,
                )
                break
            except APIError as error:
                if error.status_code != 409:
                    raise
                self._clear_the_dead()
                time.sleep(TRY_AGAIN_S)
        else:
            raise LaunchError(
                f"board {self._daemon.board}: another run builds or measures there; wait for it or stop it, since "
                "two at a time would disturb each other"
            )
        self._id = made["Id"]
        self._line = api.attach_socket(self._id, params={"stdin": 1, "stream": 1})
        api.start(self._id)

    def _clear_the_dead(self) -> None:
        """A keeper that does not run keeps nothing: its engine was stopped before it could remove it."""
        api = self._daemon.client.api
        with contextlib.suppress(NotFound):
            if not api.inspect_container(labels.MEASURING)["State"]["Running"]:
                api.remove_container(labels.MEASURING, force=True)
