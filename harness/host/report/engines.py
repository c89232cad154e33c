"""The report's table of engines: what was built, from what, how, and what it asks of the device."""

from typing import Dict, List, Optional, Sequence, Tuple

from harness.host.report import wording
from harness.host.report.collect import Row
from harness.host.report.table import Table
from harness.host.report.tables import name
from harness.records import Engine


def engines(rows: Sequence[Row]) -> Table:
    """Each engine once; what builders seldom tell has a column only where one of them told it."""
    found: Dict[str, Tuple[Row, Engine]] = {}
    for row in rows:
        if row.engine is not None:
            found.setdefault(row.engine.key, (row, row.engine))
    each = list(found.values())
    columns: List[Tuple[str, List[str]]] = [
        ("model", [wording.setting(row.experiment) for row, _ in each]),
        ("engine", [name(row) for row, _ in each]),
        ("version", [engine.ingredients.version for _, engine in each]),
        ("key", [engine.key for _, engine in each]),
        ("build s:", [f"{engine.build_seconds:.2f}" for _, engine in each]),
        ("size:", [wording.megabytes(sum(engine.files.values())) for _, engine in each]),
        ("layers run in", [wording.layers(engine.executed) or "-" for _, engine in each]),
        ("reformats:", ["" if engine.reformats is None else str(engine.reformats) for _, engine in each]),
        ("device memory:", [_memory(engine.device_memory_bytes) for _, engine in each]),
        ("precision by", [engine.precision_source for _, engine in each]),
        ("calibration", [engine.ingredients.calibration or "" for _, engine in each]),
        ("built for", [engine.ingredients.architecture for _, engine in each]),
    ]
    told = [(header, cells) for header, cells in columns if any(cells)]
    return Table([header for header, _ in told], list(zip(*(cells for _, cells in told))))


def _memory(size: Optional[int]) -> str:
    return "" if size is None else wording.megabytes(size)


def settings(rows: Sequence[Row]) -> List[str]:
    """How the builder of each engine was set and what became of it: a line for each engine whose builder tells."""
    found: Dict[str, str] = {}
    for row in rows:
        if row.engine is not None and row.engine.settings:
            said = ", ".join(f"{key}: {value}" for key, value in row.engine.settings.items())
            found.setdefault(row.engine.key, f"{name(row)}, {wording.setting(row.experiment)}: {said}")
    return list(found.values())
