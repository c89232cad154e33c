"""What a user may have meant: the nearest known words, for error messages."""

import difflib
from typing import Iterable


def close(value: str, known: Iterable[str]) -> str:
    """` (nearest: a, b)`, or nothing."""
    found = difflib.get_close_matches(value, list(known), n=2, cutoff=0.5)
    return f" (nearest: {', '.join(found)})" if found else ""


def nearest(value: str, known: Iterable[str]) -> str:
    """` (nearest: a, b); known: a, b, c`."""
    words = list(known)
    return f"{close(value, words)}; known: {', '.join(words)}"
