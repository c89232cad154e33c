"""What an engine takes of memory: by what it asks the device for, since on shared memory differences tell nothing."""

from typing import NamedTuple, Optional

from harness.records import Engine, Result


class Memory(NamedTuple):
    """In bytes; None is what nobody told."""

    engine: Optional[int]
    """What the engine asks of the device while it runs (weights and activations), without inputs and outputs."""
    io: Optional[int]
    """Inputs and outputs, of every slot."""
    peak: Optional[int]
    """Most that the whole process had at once: runtime, reference outputs and our own buffers are in it."""

    @property
    def device(self) -> Optional[int]:
        """Engine, inputs and outputs together."""
        return None if self.engine is None or self.io is None else self.engine + self.io


def of_cell(engine: Optional[Engine], result: Result) -> Memory:
    return Memory(
        engine=engine.device_memory_bytes if engine is not None else None,
        io=result.io_bytes,
        peak=result.peak_rss_bytes or None,
    )
