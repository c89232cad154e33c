"""The fleet of a tuning job: one tracker here, one server on each board, all ended with the job."""

import contextlib
import secrets
from pathlib import Path
from typing import Iterator, Sequence

from harness.fleet import Fleet
from harness.host.board import Board
from harness.host.fleet.agreement import check as agreed
from harness.host.fleet.serving import Serving
from harness.host.fleet.tracking import tracker
from harness.host.progress import Progress

__all__ = ["agreed", "served"]
KEY_BYTES = 16


@contextlib.contextmanager
def served(boards: Sequence[Board], results: Path, threads: int, limit_s: float, progress: Progress) -> Iterator[Fleet]:
    """Boards that the caller holds; `limit_s` is after what they are given up by themselves.

    Raises LaunchError where the tracker does not start. A board that does not come is the job's to notice: it goes on
    with the others.
    """
    keys = {one.name: f"{one.name}-{secrets.token_hex(KEY_BYTES)}" for one in boards}
    with tracker(results / ".work", limit_s) as port, contextlib.ExitStack() as stack:
        for one in boards:
            serving = Serving(one, port, keys[one.name], threads, limit_s, progress)
            serving.start()
            stack.callback(serving.end)
        yield Fleet(port=port, keys=keys)
