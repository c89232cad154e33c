"""A figure of the harness, the bar it must reach, and whether it did; the same in the terminal and in the file."""

from typing import Dict, List

from harness.records import SCHEMA, Record


class Figure(Record, frozen=True):
    part: str
    what: str
    value: float
    unit: str
    bar: str
    """In words, with its number."""
    reached: bool
    attempts: List[Dict[str, float]] = []
    """Every try, also the ones that missed: none is left out."""


class Selfbench(Record, frozen=True, tag_field="kind", tag="selfbench"):
    """One call of `make selfbench`."""

    created_utc: str
    cpu_model: str
    python: str
    harness_revision: str
    figures: List[Figure]
    schema: int = SCHEMA
