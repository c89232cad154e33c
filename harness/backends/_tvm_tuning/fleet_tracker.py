"""TVM's RPC tracker, which knows the boards of one tuning job; run in a process of its own that ends with its host.

TVM's own `Tracker` would start one more process, for which it needs cloudpickle, and leave it behind when killed.
"""

import random
from typing import Callable

from harness.errors import Unsupported

LOOPBACK = "127.0.0.1"
FIRST, LAST, TRIED = 20_000, 32_000, 200
"""Ports below those that systems hand out by themselves; TVM takes the first free one of a stretch."""


def stretch() -> "range":
    """Where to look for a free port: TVM cannot ask the system for one."""
    begin = random.SystemRandom().randrange(FIRST, LAST - TRIED)
    return range(begin, begin + TRIED)


def track(found: Callable[[int], None]) -> None:
    """Calls `found` with the tracker's port, and stays. Raises Unsupported where TVM's tracker cannot be imported."""
    try:
        from tvm.rpc import tracker
    except ImportError as error:
        raise Unsupported(f"TVM's RPC tracker cannot be imported ({error}): install tornado") from None
    ports = stretch()
    state = tracker.PopenTrackerServerState(LOOPBACK, port=ports.start, port_end=ports.stop, silent=True)
    found(state.port)
    state.thread.join()
