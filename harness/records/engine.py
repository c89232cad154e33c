"""Floor: what an engine is made from, and what is known of it once it is built."""

from typing import Dict, Optional, Union

import msgspec
from msgspec import UNSET, UnsetType

from harness.records.experiment import BuildOptions
from harness.records.record import SCHEMA, Record, digest
from harness.records.tuning import Tuning


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
    calibration: Union[str, UnsetType] = UNSET
    """Hash of the calibration set: images, their order and how they were prepared; INT8 only."""
    tuning: Union[Tuning, UnsetType] = UNSET
    """What a tuned engine's schedules were chosen from."""

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
    files_sha256: Dict[str, str] = {}
    """Checked before the engine is loaded; empty for engines of earlier schemas."""
    precision_source: str = ""
    """What made the precision where a builder knows two ways: `builder flags`, or `model` (a strongly typed graph)."""
    settings: Dict[str, str] = {}
    """How the builder was set and what became of it, for a reader: `workspace_mb`: `1024, lowered from 2048 ...`."""
    device_memory_bytes: Optional[int] = None
    """What the engine asks of the device while it runs, without inputs and outputs; None where nobody tells."""
    reformats: Optional[int] = None
    """Layers that only change formats between others; None where nobody tells."""
    schema: int = SCHEMA
