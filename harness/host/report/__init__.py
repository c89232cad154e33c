"""Renders a run: rows from records, sentences from ratios, one plot, one Markdown file."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.host.report.render import Report


def write(folder: Path) -> "Report":
    """Renders the run in `folder` into it. Imported when it is asked for: it needs scipy's slowest part."""
    from harness.host.report import render

    return render.write(folder)
