"""Floor: what the host asks of a worker, one record in and one record out; the verbs are in `worker/__main__.py`."""

from typing import Dict, List, Optional

from harness.fleet import Fleet
from harness.records import SCHEMA, BackendFacts, Experiment, InferenceOptions, Ingredients, Record, Reference
from harness.records.tuning import Header, Point

TIMING_CACHE, CALIBRATION_CACHE = "timing.cache", "calibration.cache"
"""Files that a build may leave in its folder: no part of the engine, but what the next build learns from."""
LEARNED = (TIMING_CACHE, CALIBRATION_CACHE)
AUTO = "auto"
"""The tuning strategy that fits the target: what tunes knows which."""


class ProbeJob(Record, frozen=True, tag_field="kind", tag="probe-job"):
    """Ask the machine and every named backend for their facts. Out: Machine."""

    backends: List[str]
    board: str = "local"
    known: Dict[str, BackendFacts] = {}
    """What an earlier probe found: taken over for a backend whose identity is still the same."""
    schema: int = SCHEMA


class ReferenceJob(Record, frozen=True, tag_field="kind", tag="reference-job"):
    """Make inputs from a seed and the outputs that are right for them. Out: Reference and its arrays."""

    key: str
    model: str
    """Path of the ONNX file."""
    model_sha256: str
    seed: int
    ranges: Dict[str, List[float]]
    """Input name to [low, high) of its values."""
    arrays: str
    """Path to write the .npz to."""
    schema: int = SCHEMA


class BuildJob(Record, frozen=True, tag_field="kind", tag="build-job"):
    """Turn a model into an engine's files. Out: Engine."""

    ingredients: Ingredients
    model: str
    """Path of the ONNX file."""
    engine_dir: str
    """An empty folder to write into."""
    calibration: Optional[str] = None
    """Path of the calibration set's .npz, whose key is among the ingredients."""
    timing_cache: Optional[str] = None
    """Path of what earlier builds of this version learned; a build may leave a newer one as TIMING_CACHE."""
    calibration_cache: Optional[str] = None
    """Path of the scales that an earlier build of the same ingredients found, left by it as CALIBRATION_CACHE."""
    trials: Optional[str] = None
    """Path of the trial log that a tuned engine's schedules are chosen from, whose hash is among the ingredients."""
    schema: int = SCHEMA


class TuneJob(Record, frozen=True, tag_field="kind", tag="tune-job"):
    """Search schedules for a model's tasks and log every trial. Out: Tuned."""

    ingredients: Ingredients
    """Of the untuned engine."""
    model: str
    """Path of the ONNX file."""
    header: Header
    """What the log is of."""
    log: str
    """Folder of the trial log, which is gone on with where it has one."""
    progress: str
    """Path to write TuneProgress to, whole or not at all, whenever there is something new to see."""
    stop: str
    """Path: once a file lies there, the search ends, the choice is made of what was tried, and the answer given."""
    job: str
    """Hex digits that no other job has."""
    trials: int
    """New ones at most."""
    max_seconds: float
    """For the search; the choice at its end takes some seconds more."""
    seed: int
    threads: int
    """Of what is measured on a CPU."""
    machine: str
    """What measures, in words for the log."""
    strategy: str = AUTO
    cost_model: str = "xgb"
    fleet: Optional[Fleet] = None
    """Boards that measure; None measures here."""
    schema: int = SCHEMA


class TuneProgress(Record, frozen=True, tag_field="kind", tag="tune-progress"):
    """How far a tuning job is."""

    doing: str
    """`extracting`, `searching` or `choosing`."""
    seconds: float
    trials: int
    """New ones."""
    tasks: int = 0
    default_ns: Optional[float] = None
    """Estimated time of the whole model by the tasks' default schedules."""
    estimated_ns: Optional[float] = None
    """The same with the best schedules so far."""
    schema: int = SCHEMA


class TunedTask(Record, frozen=True):
    """What a task got."""

    task: str
    name: str
    weight: int
    trials: int
    """In all jobs so far."""
    default_ns: Optional[float] = None
    """Medians; None where it has no time."""
    best_ns: Optional[float] = None
    kept: bool = False
    why: str = ""
    """Why the tuned schedule was not kept."""


class Tuned(Record, frozen=True, tag_field="kind", tag="tuned"):
    """How a tuning job ended."""

    ended: str
    """Why it did: `trials`, `time`, `stopped`, or `space` where no task has a schedule left to try."""
    new_trials: int
    all_trials: int
    invalid: int
    """New candidates that did not compile, or that the device refused. So with the next two."""
    timed_out: int
    crashed: int
    seconds: float
    measuring_share: float
    """Of the search's time, during which at least one candidate was measured, 0 to 1."""
    tasks: List[TunedTask]
    curve: List[Point] = []
    said: List[str] = []
    """What a user must know of the log: a torn line that was dropped, say."""
    schema: int = SCHEMA


class VersusJob(Record, frozen=True, tag_field="kind", tag="versus-job"):
    """Time two engines in one process, in rounds in which they take turns at random. Out: Versus."""

    backend: str
    engine_dir: str
    other_dir: str
    inference: InferenceOptions
    arrays: str
    arrays_sha256: str
    rounds: int
    block_s: float
    """Of either in a round, about."""
    seed: int
    schema: int = SCHEMA


class Versus(Record, frozen=True, tag_field="kind", tag="versus"):
    """Median compute of either, an entry a round."""

    engine_ns: List[float]
    other_ns: List[float]
    iterations: int
    """Of either in a round."""
    schema: int = SCHEMA


class Failure(Record, frozen=True, tag_field="kind", tag="failure"):
    """The out record of a verb that could not do its job, for a reason the user can read."""

    status: str
    """`skipped` (not on this machine), `failed` (the model, the builder or its outputs) or `crashed` (no answer)."""
    reason: str
    schema: int = SCHEMA


class BenchJob(Record, frozen=True, tag_field="kind", tag="bench-job"):
    """Measure one cell. Out: Result."""

    experiment: Experiment
    round: int
    engine_dir: str
    ingredients: Ingredients
    arrays: str
    """Path of the reference's .npz."""
    reference: Reference
    tolerance: float
    sensors: Optional[str] = None
    """Folder to write what sensors tell to; None leaves them alone."""
    schema: int = SCHEMA


class PairsJob(Record, frozen=True, tag_field="kind", tag="pairs-job"):
    """Time an engine by our loop and by its runtime's bare call, alternating at random. Out: Pairs."""

    engine_dir: str
    backend: str
    inference: InferenceOptions
    arrays: str
    arrays_sha256: str
    pairs: int
    seed: int
    schema: int = SCHEMA


class Pairs(Record, frozen=True, tag_field="kind", tag="pairs"):
    """Times of one inference, a pair an entry."""

    ours_ns: List[int]
    """Compute, as every result has it: by the host's clock, or on the device's own."""
    bare_ns: List[int]
    """By the runtime's own evaluator, or a bare call of it."""
    on_device: bool = False
    """Both were read from the device's clock."""
    schema: int = SCHEMA


class BesideJob(Record, frozen=True, tag_field="kind", tag="beside-job"):
    """Time an engine with the sampler beside it and without, in blocks that take turns at random. Out: Beside."""

    engine_dir: str
    backend: str
    inference: InferenceOptions
    arrays: str
    arrays_sha256: str
    sensors: str
    """Folder for the sampler."""
    rounds: int
    pairs: int
    """Of blocks in a round, one with and one without each."""
    block_s: float
    seed: int
    schema: int = SCHEMA


class Beside(Record, frozen=True, tag_field="kind", tag="beside"):
    """Mean and median compute over all blocks of a round, an entry a round."""

    mean_with_ns: List[float]
    mean_without_ns: List[float]
    median_with_ns: List[float]
    median_without_ns: List[float]
    cpu_share: float
    """Of one processor, that the sampler took while it sampled."""
    channels: int
    schema: int = SCHEMA


class InspectJob(Record, frozen=True, tag_field="kind", tag="inspect-job"):
    """Ask which packages can be imported and where libraries are looked for. Out: Inspection."""

    packages: List[str]
    variables: List[str]
    """Of the environment."""
    schema: int = SCHEMA


class Package(Record, frozen=True):
    version: str = ""
    reason: str = ""
    """Why it cannot be imported."""


class Inspection(Record, frozen=True, tag_field="kind", tag="inspection"):
    """What a worker finds around itself."""

    packages: Dict[str, Package]
    cuda_device: str
    """Name, compute capability and driver of the first one; empty where there is none."""
    cuda_reason: str
    variables: Dict[str, Optional[str]]
    missing: Dict[str, List[str]]
    """Folders that a variable names and that are not there."""
    schema: int = SCHEMA


class Stock(Record, frozen=True, tag_field="kind", tag="stock"):
    """What TVM's own tuner made of a tuning job."""

    trials: int
    """Candidates with a measured time."""
    seconds: float
    """While it tuned, without what it imports before."""
    schema: int = SCHEMA
