"""What every backend must be able to do. A backend knows its runtime and holds nothing; a runner holds the device.

No backend contains a clock, a warm-up or a loop: `worker/measure.py` owns those.
"""

import abc
from pathlib import Path
from typing import Callable, Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Protocol, Tuple

import numpy

from harness.errors import Unsupported
from harness.jobs import Tuned, TuneJob, TuneProgress
from harness.records import BuildOptions, InferenceOptions

Feed = Dict[str, numpy.ndarray]
"""Arrays by tensor name."""


class Materials(NamedTuple):
    """What an engine is built from."""

    model: Path
    """The ONNX file."""
    calibration: Optional[Path] = None
    """Calibration set, an `.npz` with one array an input, samples along its first axis; for INT8 alone."""
    timing_cache: Optional[Path] = None
    """What the builder's earlier runs on this board learned, where there were any."""
    calibration_cache: Optional[Path] = None
    """Scales that an earlier build of the same model, images, order, algorithm and version wrote."""
    trials: Optional[Path] = None
    """Trial log that the schedules of a tuned engine are chosen from (`harness/schedules.py`)."""


class Built(NamedTuple):
    """What a build knows of its engine beside the files."""

    executed: Dict[str, int]
    """Number of layers (convolutions, matrix products) by the precision they really compute in; empty if unknown."""
    note: str = ""
    """What a reader must know of that precision."""
    precision_source: str = ""
    settings: Dict[str, str] = {}
    device_memory_bytes: Optional[int] = None
    reformats: Optional[int] = None
    """The last four as `records/engine.py` has them."""


class Timer(Protocol):
    """Times what lies between its two calls on the runner's own stream; read only after `synchronize`.

    A protocol, since the device's timer (`device/timer.py`) fits it and may not import from here.
    """

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def elapsed_ns(self) -> int: ...


class Telling(Protocol):
    """Whoever waits for a tuning job."""

    def told(self, progress: TuneProgress) -> None:
        """Called often; how much of it is passed on is the other's business."""

    def stopped(self) -> bool:
        """Whether it was asked to end early."""


class Runner(abc.ABC):
    """A loaded engine. A context manager: leaving it frees the device.

    `slot` counts from 0 to the number of slots asked for at load, less one. Buffers are made at load, never here.
    """

    slots: int = 1
    """How many inferences may be in flight at a time, each with buffers of its own; one that is synchronous has 1."""

    @abc.abstractmethod
    def set_inputs(self, feed: Feed, slot: int = 0) -> None:
        """Host to device: copies every array of `feed` into the slot's input buffers."""

    @abc.abstractmethod
    def enqueue(self, slot: int = 0) -> None:
        """Issues one inference; may return before it is done."""

    @abc.abstractmethod
    def synchronize(self, slot: int = 0) -> None:
        """Returns when the slot's inference is done."""

    @abc.abstractmethod
    def get_outputs(self, slot: int = 0) -> Feed:
        """Device to host; the arrays are the runner's own and are overwritten by the next call."""

    def device_timer(self, slot: int = 0) -> Optional[Timer]:
        """A timer on the runner's own stream, or None where only the host's clock exists."""
        return None

    def bare(self) -> Optional[Callable[[], None]]:
        """One inference by the runtime's plainest call on the same buffers: what our loop is held against, or None."""
        return None

    def evaluator(self) -> Optional[Callable[[], int]]:
        """One inference timed by the runtime itself, in nanoseconds, where it has a clock of its own, or None."""
        return None

    def close(self) -> None:  # noqa: B027 (freeing nothing is a fine default)
        """Frees what the runner holds; called once."""

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Backend(abc.ABC):
    """A runtime. Every method may be called in a fresh process; none leaves anything behind but files."""

    precisions: FrozenSet[str]
    options: Mapping[str, type] = {}
    """Names and types of the build options of its own that it understands."""
    variants: Tuple[str, ...] = ()
    """Ways in which it builds, `untuned` first, where there is more than one."""
    compiles_for: bool = False
    """Whether `BuildOptions.target` means something to it."""
    builds_vary: bool = False
    """True where two builds of one model need not be alike, since the builder times its candidates: one build is then
    one draw, and what is said of the backend needs several."""
    computes: bool = True
    """False where outputs are not computed, so that there is nothing to compare with the reference."""

    @abc.abstractmethod
    def version(self) -> str:
        """The runtime's version; raises Unsupported, with the reason, where it cannot be imported."""

    @abc.abstractmethod
    def architecture(self) -> str:
        """What this runtime compiles for on this machine; part of an engine's key."""

    def io_memory(self) -> List[str]:
        """Where a runner's inputs and outputs may lie on this machine (`records/experiment.py`), its default first."""
        return ["host"]

    def targets(self) -> List[str]:
        """As `records/machine.py` has them."""
        return []

    def identity(self) -> str:
        """Changes whenever version or architecture might, without importing the runtime; empty where it cannot tell."""
        return ""

    def variant(self, options: BuildOptions) -> str:
        """How an engine of these options is built, for a reader: `untuned, znver3`."""
        return ""

    @abc.abstractmethod
    def build(self, materials: Materials, options: BuildOptions, engine_dir: Path) -> Built:
        """Writes an engine's files into the empty `engine_dir`; may take minutes.

        Raises BuildError (the model or the options cannot be built) or Unsupported (not on this machine).
        """

    @abc.abstractmethod
    def load(self, engine_dir: Path, inference: InferenceOptions) -> Runner:
        """A runner with its buffers made; `engine_dir` is what `build` wrote on a machine of the same key."""

    def tune(self, job: TuneJob, telling: Telling) -> Tuned:
        """Tries schedules for the parts of a model, each logged the moment it has a time.

        Raises BuildError (nothing to tune, or not like this), Unsupported (not here) or StorageError.
        """
        raise Unsupported(f"{job.ingredients.build.backend} has nothing to tune")
