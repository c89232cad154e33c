"""What the worker and its sampler tell each other: three records in a folder, and a log of readings that grows.

`job.json` (in), `started.json` (before the first reading), `series.log` (`series.py`), `ended.json` (out). A line on
the sampler's standard input asks it to end; when that is closed without one, the worker has died and nobody wants an
answer.
"""

from typing import Dict, List, Optional

from harness.records import BoardState, Channel, Record, SamplerCost
from harness.records.record import SCHEMA

JOB, STARTED, LOG, ENDED = "job.json", "started.json", "series.log", "ended.json"
STOP = b"stop\n"


class SamplerJob(Record, frozen=True, tag_field="kind", tag="sampler-job"):
    interval_s: float
    worker: int
    """Process that is measured."""
    root: str = "/"
    schema: int = SCHEMA


class Started(Record, frozen=True, tag_field="kind", tag="sampler-started"):
    channels: List[Channel]
    """Those that can be read come first, in the order of their numbers in the log; then the absent ones."""
    present: int
    totals: Dict[str, List[str]]
    """`gpu` and `cpu` to the channels that add up to the power or energy of what is measured on it."""
    totals_mean: Dict[str, str]
    before: BoardState
    start_cpu_s: float
    schema: int = SCHEMA


class Ended(Record, frozen=True, tag_field="kind", tag="sampler-ended"):
    after: BoardState
    cost: SamplerCost
    reasons: Dict[str, str]
    """Channel to the last reason why it gave no reading."""
    clock_ratio: Optional[float]
    schema: int = SCHEMA
