"""Searches schedules for a model's tasks, and tells whoever waits how far it is."""

import time
from pathlib import Path

from harness import backends, upgrades
from harness.jobs import Tuned, TuneJob, TuneProgress

TOLD_EVERY_S = 0.5


class Telling:
    """Progress as a file, written no more often than somebody can read; its last word of each kind is written."""

    def __init__(self, job: TuneJob) -> None:
        self._path, self._stop = Path(job.progress), Path(job.stop)
        self._said, self._doing = 0.0, ""

    def told(self, progress: TuneProgress) -> None:
        now = time.monotonic()
        if progress.doing != self._doing or now - self._said >= TOLD_EVERY_S:
            self._said, self._doing = now, progress.doing
            upgrades.write(self._path, progress)

    def stopped(self) -> bool:
        return self._stop.exists()


def tune(job: TuneJob) -> Tuned:
    """Raises Unsupported or BuildError; whatever ends it, trials that had a time are in the log."""
    backend = backends.get(job.ingredients.build.backend)
    backend.version()  # raises where the runtime is missing
    return backend.tune(job, Telling(job))
