"""Floor: what a tuned engine showed against its untuned one, and whether it may be called tuned."""

from typing import List, Union

from msgspec import UNSET, UnsetType

from harness.records.record import SCHEMA, Record


class Proof(Record, frozen=True):
    """Tuned against untuned, in one way of running them: rounds in one process, both in each, in random order."""

    threads: int
    io_memory: str
    rounds: int
    iterations: int
    """Of either in a round."""
    tuned_ns: float
    untuned_ns: float
    """Medians over the rounds."""
    ratio: float
    """Time of tuned over untuned, from the rounds' log differences."""
    low: float
    high: float
    """Its 95 % interval, Student's t."""
    seed: int
    cuda_graph: Union[bool, UnsetType] = UNSET

    @property
    def slower(self) -> bool:
        """Whether tuned was shown to be slower."""
        return self.low > 1


class Proofs(Record, frozen=True, tag_field="kind", tag="proofs"):
    """All that a tuned engine has shown; it is delivered as tuned where none shows it slower."""

    engine: str
    """Key."""
    untuned: str
    """Key of the engine it was held against."""
    proofs: List[Proof]
    schema: int = SCHEMA

    @property
    def slower(self) -> bool:
        return any(one.slower for one in self.proofs)
