"""One measurement at a time: two on one machine would each time the other."""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Iterator

from harness.errors import PlanError


class Busy(PlanError):
    """Someone builds or measures with this results folder."""


@contextlib.contextmanager
def measuring(results: Path) -> Iterator[None]:
    """Held while something is built or measured; the kernel lets go of it when its holder dies, however it dies."""
    results.mkdir(parents=True, exist_ok=True)
    with (results / ".lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise Busy(
                f"{results}: process {file.read().strip() or '?'} is building or measuring here; "
                "wait for it or stop it, since two at a time would disturb each other"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
