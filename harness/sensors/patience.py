"""Calls what may never return: in threads that are left behind, so that whoever waits goes on with the rest."""

import threading
import time
from typing import Callable, List, NamedTuple, Sequence


class Left(NamedTuple):
    """A call that was given up on."""

    call: int
    """Its place among the calls."""
    returned: threading.Event
    """Set when it comes back after all."""


class _Batch:
    """Calls made one after another by one thread."""

    def __init__(self, calls: Sequence[Callable[[], None]], first: int) -> None:
        self._calls = calls
        self.at, self.since = first, time.monotonic()
        self.abandoned = False
        self.done, self.returned = threading.Event(), threading.Event()
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        for index in range(self.at, len(self._calls)):
            self.at, self.since = index, time.monotonic()
            self._calls[index]()
            if self.abandoned:
                self.returned.set()
                return
        self.done.set()


def call_all(calls: Sequence[Callable[[], None]], limit_s: float) -> List[Left]:
    """Makes all calls in order; one that takes longer than `limit_s` is left behind, and the next ones are made.

    The calls must not raise. Takes at most two limits for each that blocks.
    """
    left: List[Left] = []
    first = 0
    while first < len(calls):
        batch = _Batch(calls, first)
        while not batch.done.wait(limit_s):
            if time.monotonic() - batch.since >= limit_s:
                batch.abandoned = True
                left.append(Left(batch.at, batch.returned))
                first = batch.at + 1
                break
        else:
            return left
    return left
