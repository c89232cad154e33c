"""The volumes on an engine that are ours, by their label; nothing without it is ever touched."""

from typing import List

from docker.errors import NotFound

from harness.errors import LaunchError
from harness.host.containers import labels
from harness.host.containers.daemon import Daemon


def ours(daemon: Daemon) -> List[str]:
    with daemon.words():
        found = daemon.client.api.volumes(filters=labels.ours())["Volumes"] or []
        return sorted(one["Name"] for one in found)


def remove(daemon: Daemon, names: List[str]) -> None:
    """LaunchError while a run holds the board."""
    with daemon.words():
        api = daemon.client.api
        if api.containers(filters=labels.ours()):
            raise LaunchError(f"board {daemon.board}: something is measured there now; clean up when it has ended")
        for one in api.containers(all=True, filters=labels.ours()):  # of a crash: they would keep the volumes in use
            api.remove_container(one["Id"], force=True)
        for name in names:
            try:
                api.remove_volume(name)
            except NotFound:
                continue
