"""Runs a worker as a plain subprocess of this machine. Only this module starts, waits for and ends local processes."""

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterator, Optional

from harness import upgrades
from harness.host.launch import interrupts, memory_kills
from harness.host.launch.exit import Exit
from harness.records import Record

ROOT = Path(__file__).resolve().parents[3]
"""The folder that holds the package `harness`."""
TAIL_BYTES = 20_000
CELL = "cell-"
"""How the names of workers' folders begin."""


class LocalLauncher:
    """One worker and its folder. Verbs: place, run, stop, line, put, get, take, close; a context manager closes."""

    def __init__(self, parent: Path) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(dir=str(parent), prefix=CELL))
        self._process: Optional["subprocess.Popen[bytes]"] = None
        self._stop = os.pipe()
        self._ends = list(self._stop)

    def place(self, name: str) -> str:
        return str(self.folder / name)

    def run(self, verb: str, job: Record, limit_s: float) -> Exit:
        """Blocks until the worker ends or the limit is over; a worker that outlives us or the limit is killed."""
        upgrades.write(self.folder / "job.json", job)
        kills = memory_kills.count()
        # The worker holds the write end of this pipe until it ends: waiting for that takes no polling, and a host
        # that polls would take time from the very thing it measures.
        read_end, write_end = os.pipe()
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "HARNESS_HOST_PID": str(os.getpid())}
        in_time = False
        try:
            with (self.folder / "log.txt").open("wb") as log, interrupts.held_back():
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "harness.worker", verb, str(self.folder)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    pass_fds=[write_end],
                    start_new_session=True,  # Ctrl-C reaches the host alone, which then ends the worker
                )
            os.close(write_end)
            write_end = -1
            ended = select.select([read_end, self._stop[0]], [], [], limit_s)[0]
            in_time = bool(ended)
            if read_end in ended and hasattr(os, "waitid"):  # macOS has none before Python 3.13
                os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        finally:
            os.close(read_end)
            if write_end != -1:
                os.close(write_end)
            self._end()
        code = self._process.wait()
        printed = self._log()
        memory = (memory_kills.said_since(kills) or memory_kills.said_by_runtime(printed)) if code else ""
        return Exit(code, not in_time, limit_s, memory, printed)

    def put(self, name: str, data: bytes) -> None:
        (self.folder / name).write_bytes(data)

    def get(self, name: str) -> Optional[bytes]:
        path = self.folder / name
        return path.read_bytes() if path.exists() else None

    def take(self, name: str, into: Path) -> None:
        (self.folder / name).replace(into)

    @contextlib.contextmanager
    def line(self, port: int) -> Iterator[Optional[int]]:
        """Whatever the worker listens on is reached from here: both are on one loopback."""
        yield None

    def stop(self) -> None:
        """Has `run`, which waits in another thread, end the worker."""
        os.write(self._stop[1], b".")

    def close(self) -> None:
        self._end()
        with interrupts.held_back():
            shutil.rmtree(self.folder, ignore_errors=True)
            while self._ends:
                os.close(self._ends.pop())

    @property
    def pid(self) -> Optional[int]:
        return self._process.pid if self._process is not None else None

    def _end(self) -> None:
        """Ends the worker and whatever it started (a linker, say), by the group made for it.

        Of a worker that has ended by itself what it started may still run, and would disturb the next. Until a worker
        is reaped nobody else's group can have its number.
        """
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _log(self) -> str:
        """The end of what the worker printed; folders of this machine are taken out, since results get published."""
        data = (self.folder / "log.txt").read_bytes()[-TAIL_BYTES:]
        text = data.decode("utf-8", "replace")
        for path, name in ((self.folder, "<work>"), (ROOT, "."), (Path(sys.prefix), "<python>"), (Path.home(), "~")):
            if len(path.parts) > 1:  # a home of `/`, as services have it, is in every path
                text = text.replace(str(path), name)
        return text

    def __enter__(self) -> "LocalLauncher":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
