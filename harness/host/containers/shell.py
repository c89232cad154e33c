"""A shell where workers run: same image, limits, stores and code. Docker's own client attaches the terminal."""

import shutil
import subprocess
import sys

from harness.errors import LaunchError
from harness.host.containers import labels, launcher, privilege
from harness.host.containers.archive import pack
from harness.host.containers.daemon import Daemon

PROMPT = r"\[jetson-inference-harness \w\]\$ "


def run(daemon: Daemon, image: str, limits: privilege.Limits, gpu: privilege.GpuAccess) -> int:
    """The shell's exit status; container and volume are gone afterwards."""
    client = shutil.which("docker")
    if client is None:
        raise LaunchError(
            f"board {daemon.board}: a shell needs Docker's client here; install it (apt-get install docker.io)"
        )
    interactive = sys.stdin.isatty()
    container = volume = None
    try:
        with daemon.words():
            api = daemon.client.api
            volume = api.create_volume(labels=labels.labels("cell"))["Name"]
            mounts = [launcher.cell_mount(volume), *launcher.store_mounts()]
            container = api.create_container(
                image,
                entrypoint=["/bin/sh"],
                user=str(privilege.USER),
                working_dir=launcher.PLACE,
                stdin_open=True,
                tty=interactive,
                environment={**launcher.environment(gpu), "PS1": PROMPT},
                labels=labels.labels("cell"),
                host_config=api.create_host_config(**privilege.least(mounts, limits), **gpu.options),
            )["Id"]
            code = {f"job/{name}": data for name, data in launcher.source().items()}
            api.put_archive(container, launcher.VOLUME, pack(code, privilege.USER))
        words = [client, *daemon.options(), "start", "--attach", "--interactive", container]
        return subprocess.run(words, check=False).returncode
    finally:
        with daemon.words():
            launcher.remove(daemon, container, volume)
