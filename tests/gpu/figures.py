"""What the tests on a device measured: printed at the end, and written to a file for whoever reports it."""

import json
from pathlib import Path
from typing import Any, Dict, List, Optional


class Figures:
    """`path`: written anew with every figure, since a device that hangs takes the process with it."""

    def __init__(self) -> None:
        self.rows: List[Dict[str, Any]] = []
        self.path: Optional[Path] = None

    def add(self, part: str, what: str, value: Any, unit: str = "", **more: Any) -> None:
        """`value` may be a number, words or a list; `more` goes to the file alone."""
        self.rows.append({"part": part, "what": what, "value": value, "unit": unit, **more})
        if self.path is not None:
            self.path.write_text(json.dumps(self.rows, indent=1) + "\n")

    def lines(self) -> List[str]:
        return [f"{row['part']:<12} {row['what']}: {_short(row['value'])} {row['unit']}".rstrip() for row in self.rows]


def _short(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
