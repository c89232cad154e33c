"""Renders a run: rows from records, sentences from ratios, plots, one Markdown file and the same as one HTML file."""

from pathlib import Path
from typing import TYPE_CHECKING

from harness.host.report import language

if TYPE_CHECKING:
    from harness.host.report.files import Report


def write(folder: Path, code: str = language.ENGLISH) -> "Report":
    """Renders the run in `folder` into it, in this language. Imported when it is asked for: scipy's slowest part."""
    from harness.host.report import files

    return files.write(folder, code)
