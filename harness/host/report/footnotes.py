"""Footnotes in a page: marks in cells lead to the notes that explain them, each board's to its own."""

import re
from typing import List, Sequence

from markdown_it.token import Token

MARKS = re.compile(r"(?:\[\d+\] ?)+")
NOTE = re.compile(r"\[(\d+)\] ")


def link(tokens: Sequence[Token]) -> None:
    """In a parsed document, in which boards, where there are several, are headings of the second level."""
    several = any(token.tag == "h3" for token in tokens)
    board, before = 0, ""
    for token in tokens:
        board += several and token.type == "heading_open" and token.tag == "h2"
        if token.type == "inline" and before == "td_open" and MARKS.fullmatch(token.content):
            token.children = _links(token.content, board)
        elif token.type == "inline" and before == "paragraph_open" and NOTE.match(token.content):
            token.children = _targets(token.children or [], board)
        before = token.type


def _links(content: str, board: int) -> List[Token]:
    marks = re.findall(r"\d+", content)
    return [_raw(" ".join(f'<a href="#note-{board}-{one}">[{one}]</a>' for one in marks))]


def _targets(children: Sequence[Token], board: int) -> List[Token]:
    """Each line of notes with a name in front of it."""
    found: List[Token] = []
    for child in children:
        number = NOTE.match(child.content) if child.type == "text" else None
        if number is not None and (not found or found[-1].type in ("hardbreak", "softbreak")):
            found.append(_raw(f'<span id="note-{board}-{number[1]}"></span>'))
        found.append(child)
    return found


def _raw(text: str) -> Token:
    return Token("html_inline", "", 0, content=text)
