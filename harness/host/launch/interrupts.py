"""Holds Ctrl-C and SIGTERM back where they would tear in two what belongs together."""

import contextlib
import signal
import threading
from typing import Any, Dict, Iterator, List, Tuple

NUMBERS: Tuple[int, ...] = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """What a signal would raise inside of the block is raised at its end.

    A process is born some time before `subprocess.Popen` returns it: an exception in between leaves a process that
    nobody knows, and so nobody ends. Handlers run in the main thread alone, so elsewhere there is nothing to hold back.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: Dict[int, Any] = {}
    arrived: List[int] = []
    try:
        for number in NUMBERS:
            handler = signal.getsignal(number)
            if callable(handler):  # neither the default, which ends us at once, nor ignored, which children inherit
                before[number] = handler
                signal.signal(number, lambda caught, _frame: arrived.append(caught))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for number in arrived:
        before[number](number, None)
