"""A run of several boards as one document: each board's report becomes a section, and boards are never compared."""

import re
from typing import List


def of_boards(title: str, boards: List[str], headlines: List[str], texts: List[str]) -> str:
    lines = [
        f"# {title}",
        "",
        f"Measured on {len(boards)} boards at the same time, each for itself: a ratio compares engines of one",
        "board, never boards.",
        "",
        *[f"* [{board}](#board-{_anchor(board)}): **{said}**" for board, said in zip(boards, headlines)],
        "",
    ]
    for board, text in zip(boards, texts):
        body = re.sub(r"^# .*\n", "", text, count=1)
        lines += [f"## Board {board}", _deeper(body)]
    return "\n".join(lines)


def _deeper(text: str) -> str:
    """Headings one level down; what stands between ``` is no heading."""
    parts = re.split(r"^(```)", text, flags=re.MULTILINE)
    inside = 0
    for place, part in enumerate(parts):
        if part == "```":
            inside = 1 - inside
        elif not inside:
            parts[place] = re.sub(r"^(#+ )", r"#\1", part, flags=re.MULTILINE)
    return "".join(parts)


def _anchor(name: str) -> str:
    """As code-hosting pages make it: lower case, dots dropped."""
    return re.sub(r"[^a-z0-9_-]", "", name.lower())
