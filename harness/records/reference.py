"""Floor: the inputs and right outputs that every engine of a model is checked with."""

from typing import List

from harness.records.record import SCHEMA, Record


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
