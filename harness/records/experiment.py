"""Floor: what is compared. Three records because they live three lives: only the first decides what an engine is."""

from typing import Dict, Optional, Union

from msgspec import UNSET, UnsetType

from harness.records.record import Record, digest
from harness.records.telemetry import DEFAULT_SAMPLING_S

TUNED = "tuned"
"""The variant whose schedules come from tuning records."""

Option = Union[bool, int, float, str]


class BuildOptions(Record, frozen=True):
    """All that decides what an engine is; only these decide whether one can be reused."""

    model: str
    """Name of a manifest, with a size where the model is generated: `yolov5n@320`."""
    backend: str
    precision: str = "fp32"
    batch: int = 1
    target: Optional[str] = None
    """What to compile for; None is the device that builds."""
    options: Union[Dict[str, Option], UnsetType] = UNSET
    """The backend's own, by the names it declares: `workspace_mb`."""
    build_number: Union[int, UnsetType] = UNSET
    """From 1, where one engine is built several times to see how much builds differ."""
    variant: Union[str, UnsetType] = UNSET
    """`tuned`, where the backend is to use what tuning found; not set, it builds as it does out of the box."""

    def __hash__(self) -> int:
        """Of all but `options`, which is a dict; what is equal hashes alike."""
        return hash(
            (self.model, self.backend, self.precision, self.batch, self.target, self.build_number, self.variant)
        )


class InferenceOptions(Record, frozen=True):
    """How an engine is run and timed."""

    threads: int
    warmup: int = 20
    iterations: int = 100
    max_seconds: float = 60.0
    """Budget of warm-up and iterations together; it may shorten a cell, never below 2 and 10."""
    io_memory: str = "host"
    """Where inputs and outputs lie: `host` (a CPU's own), or for a GPU `pinned` (copied to the device and back),
    `mapped` (the device reads host memory) or `managed` (unified memory)."""
    issue_mode: str = "latency"
    """`latency`: one inference at a time; `throughput`: the next is issued while the last one runs, in two slots."""
    cuda_graph: Union[bool, UnsetType] = UNSET
    """True: an inference is captured once and launched as one CUDA graph."""
    min_seconds: Union[float, UnsetType] = UNSET
    """Iterations go on for at least so long, whatever their number: what energy needs to be measured at all."""
    sampling_s: Union[float, UnsetType] = UNSET
    """From one reading of the sensors to the next; 0 leaves them alone. Not set, it is DEFAULT_SAMPLING_S."""

    @property
    def slots(self) -> int:
        return 2 if self.issue_mode == "throughput" else 1

    @property
    def sampling_interval_s(self) -> float:
        return DEFAULT_SAMPLING_S if self.sampling_s is UNSET else self.sampling_s

    @property
    def least_s(self) -> float:
        """What `min_seconds` asks for; 0 where it asks for nothing."""
        return 0.0 if self.min_seconds is UNSET else self.min_seconds

    @property
    def processor(self) -> str:
        """`gpu` or `cpu`: whose clocks, power and neighbours decide how long an inference takes."""
        return "cpu" if self.io_memory == "host" else "gpu"


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
        backend = build.backend if build.variant is UNSET else f"{build.backend}-{build.variant}"
        readable = f"{build.model}-{backend}-{build.precision}-b{build.batch}-t{inference.threads}"
        return f"{readable}-{digest(self, 6)}"
