"""What a history is made of: one experiment followed through all runs, a point for each run that planned it."""

import json
from typing import List, NamedTuple, Optional

from harness.host.history import conditions
from harness.host.report import wording

RECENT = 10
"""Earlier runs that a run is held against: older ones say what the machine was like long ago."""


class Series(NamedTuple):
    """All that two runs must share to be points of one line; fields as in `Measured`, most important first."""

    model: str
    precision: str
    batch: int
    board: str
    container: str
    threads: int
    io_memory: str
    issue_mode: str
    cuda_graph: bool
    backend: str
    options: str
    build_number: int

    @property
    def setting(self) -> "Series":
        """What engines of one panel share."""
        return self._replace(backend="", options="", build_number=0)

    @property
    def place(self) -> str:
        """`yolov5n 320, fp32, 2 threads, board local`: what else a reader must know beside the engine."""
        words = [wording.model(self.model), self.precision]
        words += [f"batch {self.batch}"] if self.batch > 1 else []
        words += [wording.threads(self.threads)]
        words += [f"{self.io_memory} memory"] if self.io_memory != "host" else []
        words += ["throughput"] if self.issue_mode == "throughput" else []
        words += ["CUDA graph"] if self.cuda_graph else []
        words += [f"board {self.board}"]
        words += [f"container {self.container}"] if self.container else []
        return ", ".join(words)

    def engine(self, variant: str) -> str:
        """`TVM tuned`, and what it was told where it was told anything; `variant` is what came of what was asked."""
        told = json.loads(self.options) if self.options else {}
        asked = told.pop("variant", "")
        words = [one for one in (wording.backend(self.backend), variant or asked) if one]
        words += [f"{name}={value}" for name, value in sorted(told.items())]
        words += [f"build {self.build_number}"] if self.build_number else []
        return " ".join(words)


class Point(NamedTuple):
    """One run's part of a series."""

    run: str
    created_utc: str
    variant: str
    computes: bool
    rounds_planned: int
    rounds: int
    samples: int
    mean_ns: Optional[float]
    median_ns: Optional[float]
    p95_ns: Optional[float]
    p99_ns: Optional[float]
    least_ns: Optional[float]
    most_ns: Optional[float]
    """Of the times of valid rounds."""
    log_mean: Optional[float]
    """Of their logs; None where no round is valid."""
    notes: str
    conditions_before: Optional[str]
    """Of the series' run before, where they are others than this one's; so with the next three."""
    conditions_now: Optional[str]
    said_before: Optional[str]
    said_now: Optional[str]
    earlier_runs: int
    """That it is held against; with what follows as in `Changed`."""
    covers_runs: bool
    ratio: Optional[float]
    low: Optional[float]
    high: Optional[float]

    @property
    def border(self) -> List[str]:
        """Conditions that are others than in the run before: what lies on either side is not compared."""
        return _changes(self.conditions_before, self.conditions_now)

    @property
    def said(self) -> List[str]:
        """What else is not as in the run before."""
        return _changes(self.said_before, self.said_now)


def _changes(before: Optional[str], now: Optional[str]) -> List[str]:
    return conditions.changes(json.loads(before), json.loads(now)) if before is not None and now is not None else []
