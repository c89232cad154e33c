"""What sensors and verdicts say of the state that the cells of a run were measured in."""

from typing import Any, Dict, List, Optional, Sequence

from harness.records import Result, Verdict
from harness.records.verdict import INVALID, LIMITED


def valid(results: Sequence[Result]) -> List[Result]:
    """Those that ended ok and whose times are what they claim to be: no other may say that anything got slower."""
    return [
        one for one in results if one.status == "ok" and (one.integrity is None or one.integrity.verdict != INVALID)
    ]


def state(results: Sequence[Result]) -> Dict[str, Any]:
    """Clocks as the first cell found them, and what held the hardware back in most of the cells."""
    found: Dict[str, Any] = {}
    before = next((one.telemetry.before for one in results if one.telemetry and one.telemetry.before), None)
    if before is not None:
        found["clocks locked"] = None if before.locked is None else "yes" if before.locked else "no"
        found["power mode told"] = before.power_mode
        caps = {clock.name: clock.cap_hz for clock in before.clocks}
        found.update({f"clock {name}": f"{cap / 1e6:.0f} MHz" for name, cap in caps.items() if cap is not None})
    measured = [one for one in results if one.samples is not None]
    counts = _cells([one.hardware for one in measured], LIMITED)
    found["hardware limited"] = ", ".join(code for code, cells in sorted(counts.items()) if 2 * cells > len(measured))
    return found


def notes(results: Sequence[Result]) -> List[str]:
    """Verdicts that a reader must know; in how many cells, by what."""
    measured = [one for one in results if one.samples is not None]
    wrong = _cells([one.integrity for one in measured], INVALID)
    limited = _cells([one.hardware for one in measured], LIMITED)
    return [
        f"{word} in {cells} of {len(measured)} rounds ({code})"
        for word, counts in ((INVALID, wrong), (LIMITED, limited))
        for code, cells in sorted(counts.items())
    ]


def _cells(verdicts: Sequence[Optional[Verdict]], weight: str) -> Dict[str, int]:
    """How many cells have a cause of that weight, by its code."""
    found: Dict[str, int] = {}
    for verdict in verdicts:
        for code in {cause.code for cause in verdict.causes if cause.weight == weight} if verdict is not None else ():
            found[code] = found.get(code, 0) + 1
    return found
