"""Floor: a board under test and its runtimes, named by nothing that tells whose it is: reports get published."""

from typing import Dict, List, Optional

from harness.records.record import SCHEMA, Record


class BackendFacts(Record, frozen=True):
    """What one backend answered when it was asked on the machine under test."""

    available: bool
    reason: str = ""
    """Why not available."""
    version: str = ""
    architecture: str = ""
    precisions: List[str] = []
    io_memory: List[str] = []
    """Where inputs and outputs may lie; the first is what it takes unless told otherwise. Empty is `host`."""
    builds_vary: bool = False
    """Whether two builds of one model may differ in speed: its builder chooses by timing."""
    targets: List[str] = []
    """What it compiles for when it is told nothing, as tuning records call it, and after that the names of what runs
    here as well: `x86-64-v3`. Empty where it compiles for nothing in particular."""
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
    cuda_device: Optional[str] = None
    """Name, compute capability and driver of the first CUDA device."""
    container: Optional[Container] = None
    l4t: Optional[str] = None
    """Read outside of the container, like `module`."""
    module: Optional[str] = None
    power_mode: Optional[str] = None
    """As nvpmodel calls it; read outside too."""
    schema: int = SCHEMA
