"""Verdicts that stand out in a page: which words are verdicts, and of which kind each is."""

import html
import re
from typing import List, Sequence

from markdown_it.token import Token

from harness.host.report import wording

KINDS = {
    "bad": ("INVALID", "failed", "crashed", "beyond"),
    "held": ("LIMITED", "DRIFTING", "NOISY", "UNKNOWN", "skipped"),
    "good": ("VALID", "CLEAN", "STABLE", "within"),
    "less": ("less time", "higher rate"),
    "more": ("more time", "lower rate"),
    "same": ("not distinguishable",),
}
"""Classes of the style sheet; it gives each a sign of its own, so that no badge is told by its colour alone."""
OF = {word: kind for kind, words in KINDS.items() for word in words}
CAPITALS = re.compile(rf"(?<![A-Za-z])({'|'.join(word for word in OF if word.isupper())})(?![A-Za-z])")
"""Verdicts in capitals are the same in every language and stand out in any sentence; others only alone in a cell."""


def put(tokens: Sequence[Token]) -> None:
    """Into the texts of a parsed document."""
    in_cells = {wording.verdict(word): kind for word, kind in OF.items()}
    before = ""
    for token in tokens:
        if token.type == "inline":
            kind = in_cells.get(token.content) if before == "td_open" else None
            if kind is not None:
                token.children = [_badge(token.content, kind)]
            else:
                token.children = [part for child in token.children or [] for part in _parts(child)]
        before = token.type


def _parts(child: Token) -> List[Token]:
    if child.type != "text":
        return [child]
    found = []
    for place, text in enumerate(CAPITALS.split(child.content)):
        if place % 2:
            found.append(_badge(text, OF[text]))
        elif text:
            found.append(Token("text", "", 0, content=text))
    return found


def _badge(text: str, kind: str) -> Token:
    return Token("html_inline", "", 0, content=f'<span class="badge {kind}">{html.escape(text)}</span>')
