"""Floor: how one cell ended."""

from typing import List, Optional, Union

from harness.records.experiment import Experiment
from harness.records.record import SCHEMA, Record
from harness.records.samples import LatencySamples, ThroughputSamples
from harness.records.telemetry import Telemetry
from harness.records.verdict import Verdict

STATUSES = ("ok", "skipped", "failed", "crashed")


class OutputAccuracy(Record, frozen=True):
    """One output against the reference's, over all its elements."""

    output: str
    max_abs: float
    relative_rms: float
    """RMS of the difference over RMS of the reference."""
    cosine: float


class Accuracy(Record, frozen=True):
    """What was compared with the reference before anything was timed."""

    reference: str
    """Key of the reference."""
    tolerance: float
    """Largest allowed relative RMS."""
    outputs: List[OutputAccuracy]


class Result(Record, frozen=True, tag_field="kind", tag="result"):
    """How one cell ended. Exactly one exists for every planned cell of a finished run."""

    experiment: Experiment
    round: int
    status: str
    reason: str = ""
    started_utc: str = ""
    elapsed_s: float = 0.0
    """Whole worker: start, load, verification, warm-up, iterations."""
    engine: Optional[str] = None
    """Key."""
    variant: str = ""
    load_s: float = 0.0
    warmup_done: int = 0
    deviations: List[str] = []
    """What fell short of the plan and why; a badge in every table."""
    accuracy: Optional[Accuracy] = None
    samples: Union[LatencySamples, ThroughputSamples, None] = None
    peak_rss_bytes: int = 0
    io_bytes: Optional[int] = None
    """Of all inputs and outputs of every slot; None where no engine was loaded."""
    telemetry: Optional[Telemetry] = None
    integrity: Optional[Verdict] = None
    """VALID or INVALID; None where nothing was timed. So with the next."""
    hardware: Optional[Verdict] = None
    """CLEAN, LIMITED or UNKNOWN."""
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status {self.status!r} is none of {', '.join(STATUSES)}")
        if self.status == "ok" and (self.samples is None or not self.samples.count):
            raise ValueError("a result that is ok needs samples")
        if self.status != "ok" and not self.reason:
            raise ValueError(f"a result that is {self.status} needs a reason")
