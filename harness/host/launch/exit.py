"""How a worker's process ended, and that in words."""

import signal
from typing import NamedTuple


class Exit(NamedTuple):
    code: int
    """Negative: the number of the signal that ended it."""
    timed_out: bool
    limit_s: float
    memory: str
    """Who says that memory was the reason; empty where nobody does."""
    log: str

    def reason(self) -> str:
        """Why there is no answer: what happened, and the last line the worker printed."""
        if self.timed_out:
            what = f"no answer within the time limit of {self.limit_s:g} s (time_limit_s in the plan)"
        elif self.code < 0:
            what = f"ended by signal {-self.code} ({_signal(-self.code)})"
        elif self.code > 128:
            what = f"ended with status {self.code} ({_signal(self.code - 128)})"
        else:
            what = f"ended with status {self.code}"
        last = self.last_line()
        parts = [what, self.memory, f"last line: {last}" if last else ""]
        return "; ".join(part for part in parts if part)

    def last_line(self) -> str:
        lines = [line.strip() for line in self.log.splitlines() if line.strip()]
        return lines[-1] if lines else ""


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
