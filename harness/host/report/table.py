"""A table as Markdown, aligned so that a terminal can show it, too, and the footnotes of its cells."""

from typing import Dict, List, NamedTuple, Sequence

from rich.cells import cell_len

from harness.host.printable import printable


class Table(NamedTuple):
    headers: Sequence[str]
    """A header that ends in `:` has its column set flush right (and loses the colon)."""
    rows: Sequence[Sequence[str]]


def markdown(table: Table) -> str:
    """Aligned, with pipes and line breaks inside cells made harmless."""
    headers = [header.rstrip(":") for header in table.headers]
    right = [header.endswith(":") for header in table.headers]
    cells = [[_escaped(cell) for cell in row] for row in table.rows]
    widths = [max(3, *(cell_len(row[column]) for row in [headers, *cells])) for column in range(len(headers))]

    def line(row: Sequence[str]) -> str:
        padded = [_padded(cell, width, flush) for cell, width, flush in zip(row, widths, right)]
        return f"| {' | '.join(padded)} |"

    rule = [("-" * (width - 1) + ":") if flush else "-" * width for width, flush in zip(widths, right)]
    return "\n".join([line(headers), line(rule), *(line(row) for row in cells)])


def _padded(cell: str, width: int, right: bool) -> str:
    """To so many columns of a terminal, in which a Korean syllable takes two."""
    blanks = " " * (width - cell_len(cell))
    return blanks + cell if right else cell + blanks


def _escaped(text: str) -> str:
    return printable(" ".join(text.replace("|", "\\|").split()))


class Footnotes:
    """Badges: a text gets a number when it is first used, and is explained beneath."""

    def __init__(self) -> None:
        self._numbers: Dict[str, int] = {}

    def mark(self, texts: Sequence[str]) -> str:
        return " ".join(f"[{self._numbers.setdefault(text, len(self._numbers) + 1)}]" for text in texts)

    def lines(self) -> List[str]:
        return [f"[{number}] {text}" for text, number in self._numbers.items()]
