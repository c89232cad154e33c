"""How a search and its child processes speak: one JSON value a line, over the child's standard input and output."""

import ctypes
import json
import os
import signal
import sys
from typing import Any, Iterator, Sequence

PR_SET_PDEATHSIG = 1


class Line:
    """The child's side. Whatever else writes to standard output (LLVM, TVM, a kernel) goes to standard error."""

    def __init__(self) -> None:
        _die_with_parent(int(sys.argv[1]))
        self._out = os.dup(1)
        os.dup2(2, 1)

    def messages(self) -> Iterator[Any]:
        """Until the parent closes its end."""
        for line in sys.stdin:
            yield json.loads(line)

    def say(self, message: Any) -> None:
        text = spelled(message)
        while text:
            text = text[os.write(self._out, text) :]


def spelled(message: Any) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def keep_to(cores: Sequence[int]) -> None:
    """This process, and what it starts, to those cores; none leaves it on any."""
    if cores:
        os.sched_setaffinity(0, cores)


def _die_with_parent(parent: int) -> None:
    """A search that is killed leaves nobody building or measuring; prctl(2), Linux only, silently nothing elsewhere."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)
