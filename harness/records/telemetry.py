"""Floor: what was sensed while a cell was measured. The readings lie in an `.npz` beside the result that names it.

That file has two arrays for every channel that gave a reading: `<name>:t_ns` (int64, nanoseconds on the samples' clock
since the first iteration's start, negative before it) and `<name>:value` (float64, in the channel's unit); and
`sweeps:t_ns`, when each round over all channels began.
"""

from typing import Dict, List, Optional

from harness.records.record import Record

SWEEPS = "sweeps"
DEFAULT_SAMPLING_S = 0.1


class Channel(Record, frozen=True):
    """One quantity. What this machine does not offer has a reason and no reading: never a 0 that nobody measured."""

    name: str
    """What it is, and of what: `power/VDD_IN`, `clock/gpu`, `temperature/tj`. Unique in its telemetry."""
    what: str
    """For a reader."""
    unit: str
    source: str
    """Path below the file system's root, or the call that answers."""
    readings: int = 0
    coverage: float = 0.0
    """Share of the sweeps that gave a reading, 0 to 1."""
    update_s: Optional[float] = None
    """Median time between two changes of its value: the sensor's own interval or the sampler's, whichever is longer;
    None where it never changed."""
    wraps_at: Optional[float] = None
    """Of a counter: the value at which it begins anew."""
    reason: str = ""
    """Why it is absent, or why some of its readings are."""


class ClockLimits(Record, frozen=True):
    """Between what a clock may move. None is what this machine does not tell."""

    name: str
    """`gpu`, `cpu0` (of the first processor that shares it)."""
    min_hz: Optional[int] = None
    max_hz: Optional[int] = None
    highest_hz: Optional[int] = None
    """What the hardware could do."""
    base_hz: Optional[int] = None
    """What it holds under any load, where all above that is a bonus."""
    boosts: bool = False
    """Whether what the machine allows includes such a bonus, which no one may expect."""
    mode_hz: Optional[int] = None
    """What the power mode allows, by nvpmodel's own file."""
    governor: str = ""

    @property
    def held(self) -> Optional[bool]:
        """Whether it stays where it is, load or not; None where that cannot be told."""
        if self.governor == "performance" or (self.max_hz is not None and self.min_hz == self.max_hz):
            return True
        return False if self.min_hz is not None and self.max_hz is not None else None

    @property
    def cap_hz(self) -> Optional[int]:
        """What the power mode allows, as far as the hardware can; without a known mode, what the machine allows now."""
        if self.mode_hz is None:
            return self.max_hz
        return self.mode_hz if self.highest_hz is None else min(self.mode_hz, self.highest_hz)

    @property
    def expected_hz(self) -> Optional[int]:
        """What it runs at under load while nothing holds it back; None where nobody can tell."""
        return self.base_hz if self.boosts else self.cap_hz


class BoardState(Record, frozen=True):
    """How a machine was set up at one moment."""

    power_mode: Optional[str] = None
    """nvpmodel's name and number: `MAXN (0)`."""
    power_mode_reason: str = ""
    """Why there is none."""
    clocks: List[ClockLimits] = []
    locked: Optional[bool] = None
    """Whether no clock could move; None where that cannot be told."""
    locked_reason: str = ""
    """Which clock could move, or why it cannot be told."""
    trips_mc: Dict[str, Dict[str, int]] = {}
    """Thermal zone to its trip points, by type, in thousandths of a degree Celsius."""


class SamplerCost(Record, frozen=True):
    """What sensing itself took."""

    cpu_s: float
    """Processor time of the sampler while it sampled."""
    wall_s: float
    start_cpu_s: float
    """Processor time that it took to start, before the first reading."""
    worst_sweep_s: float
    """The longest round over all channels."""


class Telemetry(Record, frozen=True):
    """What a sampler beside the worker saw."""

    interval_s: float
    """Asked for, from sweep to sweep."""
    sweeps: int
    largest_gap_s: Optional[float]
    """Longest time without a sweep, within the measured iterations; None where there is nothing to tell it from."""
    channels: List[Channel]
    total: List[str] = []
    """Channels that add up to the power or energy of what was measured; empty where nothing tells it."""
    total_means: str = ""
    """What that sum includes."""
    before: Optional[BoardState] = None
    after: Optional[BoardState] = None
    cost: Optional[SamplerCost] = None
    clock_ratio: Optional[float] = None
    """The samples' clock against the raw hardware clock, while the sampler ran: 1 where neither runs fast or slow."""
    idle_ns: List[int] = []
    """Begin and end of the time before the engine was loaded, on the channels' time axis; empty where none was kept."""
    settled_s: Optional[float] = None
    """How long untimed inferences went on until the clock had settled; None where nothing was waited for."""
    unsettled: bool = False
    """Whether that was as long as it may be waited, and the clock still moved."""
    arrays: str = ""
    """Name of the file of readings; empty where none was kept."""
    arrays_sha256: str = ""
    reason: str = ""
    """Why there is less of it than was asked for."""

    def channel(self, name: str) -> Optional[Channel]:
        return next((one for one in self.channels if one.name == name), None)
