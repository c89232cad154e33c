"""Holds a board while it measures, and is the door to its stores: one container with a name that only one can have.

It reads its standard input, which is a connection of ours, and ends when that closes: when this process dies, however
it dies, the board is free. Docker then removes the container by itself.
"""

import contextlib
import secrets
import time
from typing import Any, Callable, Mapping, Optional, TypeVar

from docker.errors import APIError, ImageNotFound, NotFound
from docker.types import Mount

from harness.errors import LaunchError
from harness.host.containers import archive, labels, privilege
from harness.host.containers.daemon import Daemon

T = TypeVar("T")
COMPLETE = ".complete"
"""Written into a folder of a store after everything else in it: without it the folder counts as absent."""
TAKEN_TRIES = 20
TRY_AGAIN_S = 0.25


class Keeper:
    """A context manager. Raises LaunchError where someone else measures on the board."""

    def __init__(self, daemon: Daemon, image: str, grace_s: float = 0.0, owner: Optional[str] = None) -> None:
        """`grace_s` is how long the hold outlives a connection that broke: the board may still measure for us.

        A hold of the same `owner` is taken over: who names one sees to it that no two of them live at a time.
        """
        self._daemon, self._image, self._grace_s = daemon, image, grace_s
        self._owner = owner or secrets.token_hex(8)
        self._id: Optional[str] = None
        self._line: Any = None

    def __enter__(self) -> "Keeper":
        try:
            with self._daemon.words():
                self._take()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Removes the container; what cannot be reached any more ends by itself."""
        # First, while its input is open: one that ends by itself is removed later, by Docker, and would linger.
        if self._id is not None:
            with contextlib.suppress(Exception):
                self._daemon.client.api.remove_container(self._id, force=True)
        if self._line is not None:
            for end in (getattr(self._line, "_response", None), self._line):  # the SDK ties the one to the other
                with contextlib.suppress(Exception):
                    end.close()  # type: ignore[union-attr]
        self._line = self._id = None

    def has(self, path: str) -> bool:
        """Whether a store holds `path` (`/engines/<key>`, `/models/<name>`) whole."""
        return self._still(lambda: self._has(path))

    def _has(self, path: str) -> bool:
        with self._daemon.archive(str(self._id), f"{path}/{COMPLETE}") as chunks:
            return chunks is not None

    def read(self, path: str, limit_bytes: int) -> Optional[bytes]:
        """One file of a store; None where there is none."""

        def read() -> Optional[bytes]:
            with self._daemon.archive(str(self._id), path) as chunks:
                return None if chunks is None else archive.read_file(chunks, limit_bytes)

        return self._still(read)

    def put(self, path: str, files: Mapping[str, bytes]) -> None:
        """Puts a folder into a store; it counts only when all of it has arrived."""
        root, _, name = path.rpartition("/")
        for some in ({f"{name}/{file}": data for file, data in files.items()}, {f"{name}/{COMPLETE}": b""}):
            data = archive.pack(some, privilege.USER)
            self._still(lambda data=data: self._daemon.client.api.put_archive(self._id, root, data))  # type: ignore[misc]

    def _still(self, action: Callable[[], T]) -> T:
        """What `action` gives; a hold that went away with its engine or its connection is taken again first."""

        def held() -> T:
            try:
                return action()
            except NotFound:
                self._take()
                return action()

        return self._daemon.again(held)

    def _take(self) -> None:
        api = self._daemon.client.api
        for volume in (labels.ENGINES, labels.MODELS, labels.TUNING):
            api.create_volume(volume, labels=labels.labels("store"))  # what is there already stays as it is
            # (An engine that was started anew answers to that without the labels of a volume that it had.)
            self._refuse_without_label(api.inspect_volume(volume)["Labels"], "volume", volume)
        mounts = [Mount("/engines", labels.ENGINES), Mount("/models", labels.MODELS), Mount("/tuning", labels.TUNING)]
        host = api.create_host_config(auto_remove=True, **privilege.least(mounts, privilege.Limits(processes=8)))
        for _ in range(TAKEN_TRIES):
            self._id = None
            try:
                made = api.create_container(
                    self._image,
                    entrypoint=["/bin/sh"],
                    command=["-c", f"cat; sleep {self._grace_s:g}"],
                    name=labels.MEASURING,
                    stdin_open=True,
                    labels=labels.labels("keeper", {labels.OWNER: self._owner}),
                    user=str(privilege.USER),
                    host_config=host,
                )
                self._id = made["Id"]
                self._line = api.attach_socket(self._id, params={"stdin": 1, "stream": 1})
                api.start(self._id)
                break
            except ImageNotFound:
                raise
            except NotFound:  # another run took ours, which was not started yet, for one that is over
                continue
            except APIError as error:
                if self._id is not None or error.status_code != 409:
                    raise
                self._clear_what_holds_nothing()
                time.sleep(TRY_AGAIN_S)
        else:
            raise LaunchError(
                f"board {self._daemon.board}: another run builds or measures there, or another board of this one is "
                "the same machine; wait for it or stop it, since two at a time would disturb each other"
            )

    def _clear_what_holds_nothing(self) -> None:
        """A hold that does not run any more, since its engine was stopped; or ours, whose connection broke."""
        api = self._daemon.client.api
        with contextlib.suppress(APIError):  # it may be going by itself at this moment
            found = api.inspect_container(labels.MEASURING)
            marks = found["Config"]["Labels"] or {}
            self._refuse_without_label(marks, "container", labels.MEASURING)
            if not found["State"]["Running"] or marks.get(labels.OWNER) == self._owner:
                api.remove_container(found["Id"], force=True)

    def _refuse_without_label(self, marks: Optional[Mapping[str, str]], what: str, name: str) -> None:
        if labels.PROJECT not in (marks or {}):
            raise LaunchError(
                f"board {self._daemon.board}: the {what} {name} there does not carry the label {labels.PROJECT}: it is "
                f"somebody else's and is not touched; its owner must remove it (docker {what} rm {name})"
            )
