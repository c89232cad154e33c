"""One process beside the search, that a candidate may hang or crash: it is ended and begun again.

It pays TVM's import once and stays. Begin children in the main thread: they die with the thread that made them.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from harness.backends._tvm_tuning.wire import spelled

ROOT = Path(__file__).parents[3]
TAIL_BYTES = 4000


class Child:
    """`python -m module` speaking over `wire.Line`; it says one `{"ready": ...}` first, and then answers."""

    def __init__(self, module: str, hello: Any, environment: Optional[Mapping[str, str]] = None) -> None:
        self._module, self._hello = module, hello
        self._environment: Dict[str, str] = {**os.environ, **(environment or {})}
        paths = [str(ROOT), *filter(None, [self._environment.get("PYTHONPATH")])]
        self._environment["PYTHONPATH"] = os.pathsep.join(paths)
        self.begun = 0
        self._begin()

    def _begin(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed in `end`)
        self._process = subprocess.Popen(
            [sys.executable, "-m", self._module, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=self._environment,
            bufsize=0,
        )
        os.set_blocking(self.fileno(), False)
        self._partial = b""
        self.ready: Optional[Any] = None
        """What it said of itself once it was there; None before."""
        self.begun += 1
        self.since = time.monotonic()
        """When it was begun, or last given something to do."""
        self.send(self._hello)

    def fileno(self) -> int:
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def send(self, message: Any) -> None:
        """A child that has died is noticed when it is read from."""
        self.since = time.monotonic()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            text = spelled(message)
            while text:
                text = text[self._process.stdin.write(text) or 0 :]

    def received(self) -> List[Any]:
        """What has come since the last call, without waiting; raises EOFError where the child has ended."""
        messages: List[Any] = []
        while True:
            try:
                part = os.read(self.fileno(), 1 << 16)
            except BlockingIOError:
                break
            if not part:
                if messages:
                    return messages  # the next call tells
                raise EOFError(self._ended())
            *lines, self._partial = (self._partial + part).split(b"\n")
            messages.extend(json.loads(line) for line in lines)
        if self.ready is None and messages:
            self.ready = messages.pop(0)["ready"]
        return messages

    def _ended(self) -> str:
        code = self._process.wait()
        how = f"signal {-code}" if code < 0 else f"exit status {code}"
        said = self._tail().strip().splitlines()
        return how + (f": {said[-1][:300]}" if said else "")

    def _tail(self) -> str:
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - TAIL_BYTES))
        return self._errors.read().decode(errors="replace")

    def idle_s(self) -> float:
        """Seconds since it was begun or given something to do."""
        return time.monotonic() - self.since

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def again(self) -> None:
        """Ends it, where it still runs, and begins a new one."""
        self.end()
        self._begin()
