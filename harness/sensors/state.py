"""How a machine is set up at one moment: power mode, what clocks may do, trip points. Read before and after a cell."""

from typing import Dict, List, Optional, Tuple

import msgspec

from harness.records import BoardState, ClockLimits
from harness.sensors import jetson, linux, nvml, power_mode
from harness.sensors.tree import Tree


def read(tree: Tree) -> BoardState:
    """Whatever cannot be read is unknown; nothing here raises."""
    on_jetson = jetson.is_here(tree)
    clocks = linux.limits(tree) + (jetson.limits(tree) if on_jetson else nvml.limits())
    mode, reason = power_mode.read(tree) if on_jetson else (None, "no Jetson: there are no power modes")
    if mode is not None:
        clocks = [msgspec.structs.replace(one, mode_hz=mode.caps_hz.get(one.name)) for one in clocks]
    held, why = locked(clocks)
    return BoardState(
        power_mode=str(mode) if mode is not None else None,
        power_mode_reason=reason,
        clocks=clocks,
        locked=held,
        locked_reason=why,
        trips_mc=_trips(tree),
    )


def locked(clocks: List[ClockLimits]) -> Tuple[Optional[bool], str]:
    """Whether none of the clocks could move, and which could or why nobody knows."""
    moving = [one for one in clocks if one.held is False]
    if moving:
        spans = ", ".join(f"{one.name} from {_mhz(one.min_hz)} to {_mhz(one.max_hz)} MHz" for one in moving)
        return False, f"free to move: {spans}"
    unknown = [one.name for one in clocks if one.held is None]
    if unknown or not clocks:
        return None, f"nothing tells whether {', '.join(unknown) or 'any clock'} is held"
    return True, ""


def _mhz(hertz: Optional[int]) -> str:
    return "?" if hertz is None else f"{hertz / 1e6:.0f}"


def _trips(tree: Tree) -> Dict[str, Dict[str, int]]:
    """The lowest trip point of each type that means trouble; zones write 0 or less where one is not used."""
    found: Dict[str, Dict[str, int]] = {}
    for name, (zone, _) in linux.zones(tree).items():
        points: Dict[str, int] = {}
        for path in tree.glob(f"{tree.name(zone)}/trip_point_*_type"):
            kind, at = tree.text(path), tree.whole(path.with_name(path.name.replace("_type", "_temp")))
            if kind in {"passive", "hot", "critical"} and at is not None and at > 0:
                points[kind] = min(at, points.get(kind, at))
        if points:
            found[name] = points
    return found
