"""What a crash or a lost connection left on a board: finished answers are taken, containers and volumes removed."""

import contextlib
from typing import List

from docker.errors import NotFound

from harness import upgrades
from harness.errors import HarnessError
from harness.host.board import Take
from harness.host.containers import labels, launcher
from harness.host.containers.daemon import Daemon
from harness.records import Result


def clear(daemon: Daemon, take: Take, patient: bool = False) -> List[str]:
    """Called by who holds the board, so that nothing found here belongs to anyone alive. Says what was done.

    A worker that still measures is ended, or waited for by who is `patient`: its own alarm ends it in any case.
    """
    done = []
    with daemon.words():
        api = daemon.client.api
        for found in api.containers(all=True, filters=labels.ours("cell")):
            marks = found["Labels"]
            if patient and labels.RUN in marks and found["State"] == "running":
                api.wait(found["Id"], timeout=None)
                found["State"] = "exited"
            if labels.RUN in marks and found["State"] == "exited":
                done += _take(daemon, found["Id"], marks[labels.RUN], take)
            with contextlib.suppress(NotFound):
                api.remove_container(found["Id"], force=True)
            done.append(f"removed container {found['Id'][:12]}, left by a run that ended early")
        for volume in api.volumes(filters=labels.ours("cell"))["Volumes"] or []:
            with contextlib.suppress(NotFound):
                api.remove_volume(volume["Name"], force=True)
    return done


def _take(daemon: Daemon, container: str, run: str, take: Take) -> List[str]:
    try:
        data = launcher.read(daemon, container, "out.json")
        if data is None:
            return []
        result = upgrades.decode_answer(data, Result, f"the answer of container {container[:12]}")
        if isinstance(result, Result):
            take(run, result, lambda name: launcher.read(daemon, container, name))
            return [f"took {result.experiment.slug()} round {result.round} of run {run}"]
    except HarnessError as error:
        return [f"left an answer of container {container[:12]} alone: {error}"]
    return []
