"""One line of a self-test: what was tried, how it ended, and the figures or the reason."""

from typing import Dict, Iterable, List, NamedTuple, Tuple

OK, SKIPPED, FAILED = "ok", "skipped", "failed"
ENGINE, MEMORY, MODE, GRAPH = "engine", "I/O memory", "issue mode", "CUDA graph"
TIMER, CLOCK, CROSSCHECK, SENSOR = "device timer", "clock", "crosscheck", "sensor"
DOCTOR, RUN = "doctor", "run"
BOARDS_OWN = (MEMORY, MODE, GRAPH, TIMER, CROSSCHECK)
"""Parts that a machine without a GPU cannot do at all."""
BASELINE = "tensorrt"


class Line(NamedTuple):
    part: str
    what: str
    status: str
    text: str


def merged(lines: Iterable[Line]) -> List[Line]:
    """Lines that say the same of several things are one, in the first one's place: many cells may lack one runtime."""
    found: Dict[Tuple[str, str, str], List[str]] = {}
    for line in lines:
        found.setdefault((line.part, line.status, line.text), []).append(line.what)
    return [Line(part, ", ".join(what), status, text) for (part, status, text), what in found.items()]


def unproved(lines: Iterable[Line]) -> List[str]:
    """Parts of which nothing is ok and nothing failed: whoever reads the table must not take them for proved."""
    ran = [line for line in lines if line.status != SKIPPED]
    parts = {line.part for line in ran}
    found = [part for part in BOARDS_OWN if part not in parts]
    tensorrt = any(line.part == ENGINE and BASELINE in line.what.split() for line in ran)
    return found if tensorrt else ["TensorRT", *found]
