"""Floor: what tuning measured, line by line as a trial log holds it, and what of it stands in an engine's ingredients.

A *task* is a part of a model that TVM schedules on its own; a *trial* is one schedule of it with a measured time. Times
are nanoseconds of one call of the task, a number a repeat; they may be fractions, being means over several calls.
"""

import math
from typing import List, NamedTuple, Tuple, Union

from harness.records.record import Record

LOG_SCHEMA = 1
"""Version of the lines of a trial log."""
GPU_WORDS = ", compute capability"
"""In the words of a CUDA device, after its name."""
Stand = Tuple[str, int]
"""What times were measured on, by `stand`: those of two cannot be compared."""
NOWHERE: Stand = ("", 0)
"""Of a job whose line is lost."""


def stand(machine: str, threads: int) -> Stand:
    """A machine by its words, and how many threads a call took, which matters to a CPU alone. What a GPU's words say
    after its name, the driver, parts no two stands."""
    return without_driver(machine), 0 if GPU_WORDS in machine else threads


def without_driver(machine: str) -> str:
    return machine.partition(GPU_WORDS)[0]


class Tuning(Record, frozen=True):
    """What a tuned engine was made of beside its model: part of its key, and of its variant's words."""

    records_sha256: str
    """Hash of the schedules that were chosen from the records."""
    trials: int
    seconds: float
    """That tuning took, all jobs together."""
    seeds: List[int]
    tasks: int
    """That get another schedule than by default."""
    form: str = "plain"
    """How the graph was written before its tasks were taken from it."""

    def words(self) -> str:
        minutes = self.seconds / 60
        took = f"{minutes:.0f} min" if minutes >= 1.5 else f"{self.seconds:.0f} s"
        seeds = ", ".join(str(seed) for seed in self.seeds)
        found = [] if self.form == "plain" else [self.form]
        found.append(f"{self.trials} trial{'s' if self.trials != 1 else ''} in {took}")
        found.append(f"seed{'s' if len(self.seeds) != 1 else ''} {seeds}")
        found.append(f"records {self.records_sha256[:4]}")
        return ", ".join(found)


class Header(Record, frozen=True, tag_field="kind", tag="trials"):
    """First line of a log: what its trials are of. Two logs with one header can be merged."""

    model: str
    model_sha256: str
    precision: str
    batch: int
    target: str
    """What was compiled for: a target's name, or the backend's words for the machine where none was named."""
    version: str
    """TVM's."""
    schema: int = LOG_SCHEMA


class Job(Record, frozen=True, tag_field="kind", tag="job"):
    """A tuning job began."""

    job: str
    """Hex digits that no other job has."""
    started_utc: str
    trials: int
    """Asked for."""
    max_seconds: float
    seed: int
    strategy: str
    cost_model: str
    threads: int
    machine: str
    """The processor or device that measured, in words that name nobody's machine."""
    form: str = "plain"
    """How the graph was written before its tasks were taken from it, by the backend's name for it: `nhwc`."""

    @property
    def stand(self) -> Stand:
        return stand(self.machine, self.threads)


class Task(Record, frozen=True, tag_field="kind", tag="task"):
    """Said once, before the first line that names it."""

    task: str
    """Structural hash of the workload."""
    name: str
    weight: int
    """How often the model calls it."""
    workload: str = ""
    """TVM's JSON of the workload; empty in records that are shipped, since the model gives it again."""


class Trial(Record, frozen=True, tag_field="kind", tag="trial"):
    """A schedule and its measured times."""

    job: str
    task: str
    trace: str
    """TVM's JSON of the schedule's trace."""
    args_info: str
    target: str
    times_ns: List[float]
    seconds: float
    """Since the job began."""

    def __post_init__(self) -> None:
        _check(self.times_ns)


class Default(Record, frozen=True, tag_field="kind", tag="default"):
    """Times of a task as it is without tuning."""

    job: str
    task: str
    times_ns: List[float]

    def __post_init__(self) -> None:
        _check(self.times_ns)


class Choice(Record, frozen=True, tag_field="kind", tag="choice"):
    """A task's best schedule against its default one, measured side by side at the end of a job."""

    job: str
    task: str
    trace_sha256: str
    """Of the schedule's trace, 16 digits; empty where no trial of the task had a time."""
    trials: int
    """Of this task, in all jobs so far."""
    default_ns: List[float]
    tuned_ns: List[float]
    kept: bool
    why: str = ""
    """Why it was not kept."""


class Point(NamedTuple):
    """The estimated time of the whole model after some tuning."""

    seconds: float
    trials: int
    estimated_ns: float


class End(Record, frozen=True, tag_field="kind", tag="end"):
    """A job ended, early or not; one that was killed has no such line."""

    job: str
    trials: int
    invalid: int
    """Candidates that did not compile, or that the device refused."""
    timed_out: int
    crashed: int
    seconds: float
    measuring_seconds: float
    curve: List[Point] = []


def _check(times_ns: List[float]) -> None:
    if not times_ns or not all(math.isfinite(one) and one > 0 for one in times_ns):
        raise ValueError(f"times of a schedule are numbers above zero, at least one; these are {times_ns}")


Line = Union[Job, Task, Trial, Default, Choice, End]
"""What may follow a header."""
