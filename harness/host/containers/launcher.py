"""Runs a worker in a container of its own and takes its answer out, also after it died or the connection was lost."""

import contextlib
import sys
import time
from pathlib import Path
from typing import Dict, Iterator, List, Optional

import requests
from docker.errors import APIError, NotFound
from docker.types import Mount

from harness import upgrades
from harness.errors import LaunchError, RefusedArchive
from harness.host.containers import archive, labels, memory_words, privilege
from harness.host.containers.daemon import LOST, Daemon, Lost
from harness.host.containers.relay import Relay
from harness.host.launch.exit import Exit
from harness.records import Record

PACKAGE = Path(__file__).resolve().parents[2]
VOLUME = "/cell"
PLACE = f"{VOLUME}/job"
"""A folder of the volume, since the volume's own root belongs to root and an archive cannot change that."""
GRACE_S = 10.0
"""How much longer than its limit a worker may live when we are not there to end it."""
LOG_LINES = 200
# The shell outlives a worker that the kernel ends for memory, and keeps what the cgroup counted.
SCRIPT = """
python3 -m harness.worker "$1" .
code=$?
for file in memory.peak memory.max_usage_in_bytes memory/memory.max_usage_in_bytes; do
  [ -r /sys/fs/cgroup/$file ] && echo "peak $(cat /sys/fs/cgroup/$file)" && break
done > memory.txt 2>/dev/null
for file in memory.events memory.oom_control memory/memory.oom_control; do
  [ -r /sys/fs/cgroup/$file ] && cat /sys/fs/cgroup/$file && break
done >> memory.txt 2>/dev/null
exit $code
"""


class ContainerLauncher:
    """One worker, its container and its volume. `host/board.py` says what each verb does; a context manager closes."""

    def __init__(
        self,
        daemon: Daemon,
        image: str,
        limits: privilege.Limits,
        gpu: privilege.GpuAccess,
        about: Dict[str, str],
    ) -> None:
        self._daemon, self._image, self._limits, self._gpu = daemon, image, limits, gpu
        self._about = about
        self._volume: Optional[str] = None
        self._id: Optional[str] = None
        self._stopped = False
        self.sent_bytes = 0
        """What was copied into the container."""

    def place(self, name: str) -> str:
        """Where a file that is put, or that the worker writes, lies for the worker."""
        return f"{PLACE}/{name}"

    def run(self, verb: str, job: Record, limit_s: float) -> Exit:
        """Blocks until the worker ends or the limit is over.

        An engine that goes away meanwhile is waited for; Lost where it does not come back: the container then goes on,
        and what it leaves is taken at the next start on this board.
        """
        files = {"job.json": upgrades.encode(job), **source()}
        self._daemon.again(lambda: self._start(verb, limit_s, files))
        in_time = self._stopped or self._wait(limit_s)
        if self._stopped or not in_time:
            self._daemon.again(self._kill)
        return self._daemon.again(lambda: self._ended(in_time, limit_s))

    def stop(self) -> None:
        """Has `run`, which waits in another thread, end the worker."""
        self._stopped = True
        if self._id is not None:  # one that does not run yet is ended by `run`
            with contextlib.suppress(APIError, LaunchError, *LOST):
                self._daemon.client.api.kill(self._id)

    @contextlib.contextmanager
    def line(self, port: int) -> Iterator[Optional[int]]:
        with Relay(self._daemon, lambda: self._id, port) as relay:
            yield relay.port

    def put(self, name: str, data: bytes) -> None:
        packed = archive.pack({f"job/{name}": data}, privilege.USER)
        with self._daemon.words():
            self._daemon.client.api.put_archive(self._id, VOLUME, packed)

    def get(self, name: str) -> Optional[bytes]:
        return self._daemon.again(lambda: read(self._daemon, str(self._id), name))

    def take(self, name: str, into: Path) -> None:
        """Copies out what the worker wrote; RefusedArchive where it is not what a worker writes."""
        with self._daemon.words(), self._daemon.archive(str(self._id), self.place(name)) as chunks:
            archive.extract(chunks or [], into)

    def close(self) -> None:
        """Removes container and volume; what cannot be reached now is removed at the next start on this board."""
        with contextlib.suppress(LaunchError), self._daemon.words():
            remove(self._daemon, self._id, self._volume)
        self._id = self._volume = None

    def _start(self, verb: str, limit_s: float, files: Dict[str, bytes]) -> None:
        api = self._daemon.client.api
        remove(self._daemon, self._id, self._volume)  # of a first try that the engine did not live to see
        marks = labels.labels("cell", self._about)
        self._volume = api.create_volume(labels=marks)["Name"]
        mounts = [cell_mount(self._volume), *store_mounts()]
        mounts += [Mount("/tuning", labels.TUNING)] if verb == "tune" else []
        self._id = api.create_container(
            self._image,
            entrypoint=["/bin/sh"],  # not a base's own, as NVIDIA's server images have one
            command=["-c", SCRIPT, "worker", verb],
            user=str(privilege.USER),
            working_dir=PLACE,
            environment={"HARNESS_LIMIT_S": str(limit_s + GRACE_S), **environment(self._gpu)},
            labels=marks,
            host_config=api.create_host_config(**privilege.least(mounts, self._limits), **self._gpu.options),
        )["Id"]
        data = archive.pack({f"job/{name}": data for name, data in files.items()}, privilege.USER)
        self.sent_bytes = len(data)
        api.put_archive(self._id, VOLUME, data)
        api.start(self._id)

    def _wait(self, limit_s: float) -> bool:
        """Whether the worker ended within the limit, across connections that break."""
        end = time.monotonic() + limit_s
        while True:
            left = end - time.monotonic()
            if left <= 0:
                return False
            try:
                self._daemon.client.api.wait(self._id, timeout=left)
                return True
            except requests.exceptions.ReadTimeout:
                return False
            except NotFound:
                return True
            except (LaunchError, APIError, *LOST) as error:
                if isinstance(error, requests.exceptions.ConnectionError) and "Read timed out" in str(error):
                    return False
                self._daemon.wait_until_back()

    def _kill(self) -> None:
        with contextlib.suppress(APIError):
            self._daemon.client.api.kill(self._id)
            self._daemon.client.api.wait(self._id, timeout=30)

    def _ended(self, in_time: bool, limit_s: float) -> Exit:
        api = self._daemon.client.api
        try:
            state = api.inspect_container(self._id)["State"]
            log = api.logs(self._id, tail=LOG_LINES).decode("utf-8", "replace")
        except NotFound:
            return Exit(137, False, limit_s, "", "the container was removed from outside\n")
        memory = memory_words.said(
            state,
            self._counted(),
            self._limits.memory_bytes,
            log,
            str(self._id),
            None if self._daemon.far else memory_words.kernel_log_now,
        )
        return Exit(state["ExitCode"], not in_time, limit_s, memory, log)

    def _counted(self) -> Optional[bytes]:
        """What the shell kept of the cgroup's files; a worker could have put anything there: that says nothing."""
        try:
            return read(self._daemon, str(self._id), "memory.txt")
        except RefusedArchive:
            return None

    def __enter__(self) -> "ContainerLauncher":
        return self

    def __exit__(self, *_: object) -> None:
        # A container whose engine is away may still be measuring: it stays, for the next start to take its answer.
        if not isinstance(sys.exc_info()[1], Lost):
            self.close()


def environment(gpu: privilege.GpuAccess) -> Dict[str, str]:
    return {"PYTHONPATH": f"{PLACE}/code", "HOME": "/tmp", **gpu.environment}


def cell_mount(volume: str) -> Mount:
    return Mount(VOLUME, volume)


def store_mounts() -> List[Mount]:
    """What stays on a board, read-only while it measures."""
    return [Mount("/engines", labels.ENGINES, read_only=True), Mount("/models", labels.MODELS, read_only=True)]


def read(daemon: Daemon, container: str, name: str) -> Optional[bytes]:
    """One file that a worker wrote; None where it wrote none."""
    with daemon.archive(container, f"{PLACE}/{name}") as chunks:
        return None if chunks is None else archive.read_file(chunks)


def remove(daemon: Daemon, container: Optional[str], volume: Optional[str]) -> None:
    api = daemon.client.api
    if container is not None:
        with contextlib.suppress(NotFound):
            api.remove_container(container, force=True)
    if volume is not None:
        with contextlib.suppress(NotFound):
            api.remove_volume(volume, force=True)


def source() -> Dict[str, bytes]:
    """This very harness, so that code on the two sides can never differ."""
    if not _SOURCE:
        for path in sorted(PACKAGE.rglob("*.py")):
            _SOURCE[f"code/{PACKAGE.name}/{path.relative_to(PACKAGE).as_posix()}"] = path.read_bytes()
    return _SOURCE


_SOURCE: Dict[str, bytes] = {}
