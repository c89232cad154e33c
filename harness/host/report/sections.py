"""A run of several boards as one document: each board's report becomes a section, and boards are never compared."""

import re
from typing import List

from harness.host.report.language import _


def of_boards(title: str, boards: List[str], headlines: List[str], texts: List[str]) -> str:
    headings = [_("Board %(board)s", board=board) for board in boards]
    lines = [
        f"# {title}",
        "",
        _(
            "Measured on %(count)s boards at the same time, each for itself: a ratio compares engines of one board, "
            "never boards.",
            count=len(boards),
        ),
        "",
        *[f"* [{board}](#{anchor(heading)}): **{said}**" for board, heading, said in zip(boards, headings, headlines)],
        "",
    ]
    for heading, text in zip(headings, texts):
        body = re.sub(r"^# .*\n", "", text, count=1)
        lines += [f"## {heading}", _deeper(body)]
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


def anchor(heading: str) -> str:
    """As code-hosting pages make it: lower case, blanks to hyphens, punctuation dropped."""
    return re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-"))
