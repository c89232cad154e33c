"""What a source offers: channels that can be read, and those that this machine lacks, with the reason."""

from typing import Callable, List, NamedTuple, Optional, Union

from harness.records import Channel


class Sensor(NamedTuple):
    """A channel that can be read."""

    name: str
    what: str
    unit: str
    source: str
    read: Callable[[], float]
    """Its value now. Raises OSError (gone, not now) or ValueError (no number, or one that means none). May block."""
    wraps_at: Optional[float] = None

    def channel(self) -> Channel:
        return Channel(name=self.name, what=self.what, unit=self.unit, source=self.source, wraps_at=self.wraps_at)


class Absent(NamedTuple):
    """A channel that this machine does not offer."""

    name: str
    what: str
    unit: str
    source: str
    reason: str

    def channel(self) -> Channel:
        return Channel(name=self.name, what=self.what, unit=self.unit, source=self.source, reason=self.reason)


Offer = List[Union[Sensor, Absent]]


class Total(NamedTuple):
    """Which channels add up to the power or energy of what is measured."""

    names: List[str]
    means: str
