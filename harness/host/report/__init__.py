"""Renders a run: rows from records, sentences from ratios, one plot, one Markdown file."""

from harness.host.report.render import Report, write

__all__ = ["Report", "write"]
