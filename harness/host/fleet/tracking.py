"""TVM's RPC tracker as a process of this machine, on loopback, for as long as a tuning job lasts."""

import contextlib
import threading
import time
from pathlib import Path
from typing import Iterator, List

from harness import upgrades
from harness.errors import LaunchError
from harness.fleet import Tracker, TrackJob
from harness.host.launch.ask import ask_with
from harness.host.launch.local import LocalLauncher
from harness.jobs import Failure

FOUND = "tracker.json"
START_LIMIT_S, LOOK_S = 60.0, 0.02


@contextlib.contextmanager
def tracker(work: Path, limit_s: float) -> Iterator[int]:
    """Its port. Raises LaunchError where it does not start."""
    with LocalLauncher(work) as launcher:
        ended: List[str] = []

        def run() -> None:
            job = TrackJob(found=launcher.place(FOUND))
            answer, _ = ask_with(launcher, "track", job, Failure, limit_s)
            ended.append(answer.reason)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield _port(launcher, ended)
        finally:
            launcher.stop()
            thread.join()


def _port(launcher: LocalLauncher, ended: List[str]) -> int:
    end = time.monotonic() + START_LIMIT_S
    while not ended and time.monotonic() < end:
        data = launcher.get(FOUND)
        if data is not None:
            return upgrades.decode(data, Tracker, FOUND).port
        time.sleep(LOOK_S)
    raise LaunchError(
        f"tune: TVM's RPC tracker did not start here: {ended[0] if ended else 'it did not listen in time'}"
    )
