"""Floor: the words both sides use. Every record that crosses between worker and host, strict and versioned.

Units stand in names (`_ns`, `_s`, `_bytes`). Lists of samples are integers of nanoseconds, one entry an iteration.
Python 3.8 evaluates these annotations at run time, so they are written with `typing` names.
"""

import hashlib
from typing import Dict, List, Optional, Union

import msgspec
from msgspec import UNSET, UnsetType

SCHEMA = 2
"""Version of every record below; `upgrades.py` reads older ones."""

STATUSES = ("ok", "skipped", "failed", "crashed")


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Immutable, keyword-only, and an unknown field is an error."""


# --- what is compared ------------------------------------------------------------------------------------------------


class BuildOptions(Record, frozen=True):
    """All that decides what an engine is; only these decide whether one can be reused."""

    model: str
    """Name of a manifest, with a size where the model is generated: `yolov5n@320`."""
    backend: str
    precision: str = "fp32"
    batch: int = 1
    target: Optional[str] = None
    """What to compile for; None is the device that builds."""


class InferenceOptions(Record, frozen=True):
    """How an engine is run and timed."""

    threads: int
    warmup: int = 20
    iterations: int = 100
    max_seconds: float = 60.0
    """Budget of warm-up and iterations together; it may shorten a cell, never below 2 and 10."""
    io_memory: str = "host"
    issue_mode: str = "latency"


class SystemOptions(Record, frozen=True):
    """Where an experiment runs."""

    board: str = "local"
    container: Union[str, UnsetType] = UNSET
    """Pin of the container it runs in; absent for a plain process. (Absent, it leaves older hashes as they are.)"""


class Experiment(Record, frozen=True):
    """What is compared: one line of every table."""

    build: BuildOptions
    inference: InferenceOptions
    system: SystemOptions = SystemOptions()

    def slug(self) -> str:
        """Folder name: readable first, then six hex digits that keep two experiments apart."""
        build, inference = self.build, self.inference
        readable = f"{build.model}-{build.backend}-{build.precision}-b{build.batch}-t{inference.threads}"
        return f"{readable}-{digest(self, 6)}"


# --- engines ---------------------------------------------------------------------------------------------------------


class Ingredients(Record, frozen=True):
    """All that an engine is made from; their hash is the engine's key."""

    build: BuildOptions
    model_sha256: str
    version: str
    """The runtime's."""
    architecture: str
    """What the runtime compiles for here, in its own words."""
    container: Union[str, UnsetType] = UNSET
    """Pin of the container it is built in: another user space links other libraries."""

    def key(self) -> str:
        return digest(self, 16)

    def difference(self, other: "Ingredients") -> str:
        """The ingredients that differ from `other`, `here` against `there`; empty when none does."""
        ours, theirs = msgspec.to_builtins(self), msgspec.to_builtins(other)
        return "; ".join(
            f"{name}: {ours.get(name)!r} against {theirs.get(name)!r}"
            for name in {**ours, **theirs}
            if ours.get(name) != theirs.get(name)
        )


class Engine(Record, frozen=True, tag_field="kind", tag="engine"):
    """A built model: `engine.json` beside its files."""

    key: str
    ingredients: Ingredients
    variant: str
    """How the backend built it, in its words: `untuned, znver3`; empty where there is one way only."""
    computes: bool
    """False for an engine that has no outputs to compare (the null backend)."""
    executed: Dict[str, int]
    """Number of layers by the precision they really compute in, read from the optimised graph; empty if unknown."""
    precision_note: str
    build_seconds: float
    files: Dict[str, int]
    """Name to size in bytes."""
    built_utc: str
    log_tail: str = ""
    schema: int = SCHEMA


# --- samples and results ---------------------------------------------------------------------------------------------


class LatencySamples(Record, frozen=True, tag_field="issue_mode", tag="latency"):
    """One inference at a time, on the host's monotonic clock; consecutive steps share their clock reading.

    h2d | enqueue ... synchronize | d2h, so an iteration's total is exactly h2d + compute + d2h.
    """

    start_ns: List[int]
    """Start of each iteration since the first one's."""
    h2d_ns: List[int]
    """`set_inputs`: host to device; on a CPU a copy into the runtime's buffers."""
    enqueue_ns: List[int]
    """`enqueue` alone, a part of compute."""
    compute_ns: List[int]
    """`enqueue` until `synchronize` returned."""
    d2h_ns: List[int]
    """`get_outputs`: device to host, into buffers made at load."""
    device_ns: Optional[List[int]] = None
    """Compute on the device's own clock, where it has one."""

    def __post_init__(self) -> None:
        columns = [self.start_ns, self.h2d_ns, self.enqueue_ns, self.compute_ns, self.d2h_ns]
        columns += [self.device_ns] if self.device_ns is not None else []
        if len({len(column) for column in columns}) != 1:
            raise ValueError(f"columns of samples differ in length: {[len(column) for column in columns]}")
        if any(value < 0 for column in columns for value in column):
            raise ValueError("a sample is negative: the clock ran backwards")

    def total_ns(self) -> List[int]:
        return [h2d + compute + d2h for h2d, compute, d2h in zip(self.h2d_ns, self.compute_ns, self.d2h_ns)]


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
    samples: Optional[LatencySamples] = None
    peak_rss_bytes: int = 0
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status {self.status!r} is none of {', '.join(STATUSES)}")
        if self.status == "ok" and (self.samples is None or not self.samples.compute_ns):
            raise ValueError("a result that is ok needs samples")
        if self.status != "ok" and not self.reason:
            raise ValueError(f"a result that is {self.status} needs a reason")


# --- the machine and its runtimes ------------------------------------------------------------------------------------


class BackendFacts(Record, frozen=True):
    """What one backend answered when it was asked on the machine under test."""

    available: bool
    reason: str = ""
    """Why not available."""
    version: str = ""
    architecture: str = ""
    precisions: List[str] = []
    identity: str = ""
    """Changes whenever the other facts might, and is quick to read; empty where nothing quick says so."""


class Container(Record, frozen=True):
    """What stands between a worker and its board; told by the engine that runs it."""

    jetpack: str
    """Name of the pin."""
    image: str
    """Id, which changes with any byte of it."""
    base: str
    base_digests: List[str]
    base_pinned: bool
    engine_version: str
    gpu: str
    """How the container reaches one: `none`, `runtime nvidia` or `device request`."""
    memory_limit_bytes: Optional[int] = None
    """Of CPU memory alone: what a Jetson's GPU takes is not counted by it."""


class Machine(Record, frozen=True, tag_field="kind", tag="machine"):
    """A board under test. Names no host, serial number, address, user or path: reports get published."""

    board: str
    system: str
    kernel: str
    architecture: str
    cpu_model: str
    logical_cpus: int
    allowed_threads: int
    """What affinity and cgroup leave of them."""
    memory_bytes: int
    governor: Optional[str]
    boot_id: Optional[str]
    python: str
    harness_version: str
    harness_revision: str
    """Hash of the harness's own sources."""
    backends: Dict[str, BackendFacts]
    timer_step_ns: int = 0
    """Smallest step seen of the clock that takes every sample; 0 is unknown."""
    container: Optional[Container] = None
    l4t: Optional[str] = None
    """Read outside of the container, like `module`."""
    module: Optional[str] = None
    power_mode: Optional[str] = None
    """As nvpmodel calls it; read outside too."""
    schema: int = SCHEMA


class Reference(Record, frozen=True, tag_field="kind", tag="reference"):
    """Inputs and outputs that every engine of a model is checked with; the arrays lie in a `.npz` beside it."""

    key: str
    model_sha256: str
    seed: int
    version: str
    """Of the runtime that made it."""
    arrays_sha256: str
    inputs: List[str]
    outputs: List[str]
    schema: int = SCHEMA


def canonical(record: object) -> bytes:
    """The one JSON spelling of a record that hashes are taken of: keys sorted, no spaces."""
    return msgspec.json.encode(msgspec.to_builtins(record), order="deterministic")


def digest(record: object, digits: int) -> str:
    return hashlib.sha256(canonical(record)).hexdigest()[:digits]
