"""The report's table of engines: what was built, from what, how, and what it asks of the device."""

from typing import Dict, List, Optional, Sequence, Tuple

from harness.host.report import wording
from harness.host.report.collect import Row
from harness.host.report.language import _
from harness.host.report.table import Table
from harness.host.report.tables import name
from harness.records import Engine


def engines(rows: Sequence[Row]) -> Table:
    """Each engine once; what builders seldom tell has a column only where one of them told it."""
    found: Dict[str, Tuple[Row, Engine]] = {}
    for row in rows:
        if row.engine is not None:
            found.setdefault(row.engine.key, (row, row.engine))
    used, built = [row for row, engine in found.values()], [engine for row, engine in found.values()]
    columns: List[Tuple[str, List[str]]] = [
        (_("model"), [wording.setting(row.experiment) for row in used]),
        (_("engine"), [name(row) for row in used]),
        (_("version"), [engine.ingredients.version for engine in built]),
        (_("key"), [engine.key for engine in built]),
        (_("build s:"), [f"{engine.build_seconds:.2f}" for engine in built]),
        (_("size:"), [wording.megabytes(sum(engine.files.values())) for engine in built]),
        (_("layers run in"), [wording.layers(engine.executed) or "-" for engine in built]),
        (_("reformats:"), ["" if engine.reformats is None else str(engine.reformats) for engine in built]),
        (_("device memory:"), [_memory(engine.device_memory_bytes) for engine in built]),
        (_("precision by"), [engine.precision_source for engine in built]),
        (_("calibration"), [engine.ingredients.calibration or "" for engine in built]),
        (_("built for"), [engine.ingredients.architecture for engine in built]),
    ]
    told = [(header, cells) for header, cells in columns if any(cells)]
    return Table([header for header, cells in told], list(zip(*(cells for header, cells in told))))


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
