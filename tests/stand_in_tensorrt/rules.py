"""The rules that the stand-in keeps its caller to; each has a text and a source in `rules.toml`."""

from pathlib import Path
from typing import Any, Dict

from harness.host import toml

RULES: Dict[str, Dict[str, Any]] = toml.load(Path(__file__).with_name("rules.toml"))


class Violation(AssertionError):
    """The caller broke a rule."""

    def __init__(self, rule: str, what: str) -> None:
        super().__init__(f"{what}: {RULES[rule]['says']} ({RULES[rule]['from']})")
        self.rule = rule


def hold(rule: str, kept: bool, what: str) -> None:
    if not kept:
        raise Violation(rule, what)
