"""Whether a clock has settled under load: a pure function, asked between untimed inferences."""

from typing import Optional, Sequence

from harness.records import ClockLimits
from harness.sensors.seen import ENOUGH
from harness.sensors.series import Column

HOLD_NS = 500_000_000
"""A governor that has seen load for half a second has made up its mind (nvhost_podgov and schedutil take a tenth)."""
STILL = 0.02
"""Readings that lie so close together are one clock; steps are 5 % and more."""
REACHED = 0.97


def settled(column: Column, limits: Optional[ClockLimits], loaded_since_ns: int) -> bool:
    """`column` is what the clock told so far, also before the load.

    One that is held only needs to be where it is expected. Another one must have stood still for ENOUGH readings, the
    last of them half a second into the load.
    """
    expected = limits.expected_hz if limits is not None else None
    if limits is not None and limits.held and expected and column.value:
        return column.value[-1] >= REACHED * expected
    loaded = [(at, value) for at, value in zip(column.t_ns, column.value) if at >= loaded_since_ns]
    if len(loaded) < ENOUGH or loaded[-1][0] - loaded_since_ns < HOLD_NS:
        return False
    return _still([value for _, value in loaded[-ENOUGH:]])


def _still(values: Sequence[float]) -> bool:
    """A 0 is a GPU that has not told its clock yet."""
    return min(values) > 0 and max(values) - min(values) <= STILL * max(values)
