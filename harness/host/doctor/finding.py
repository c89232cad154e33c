"""One line of the doctor: what was looked at, how it is, and what cures it."""

from typing import List

from harness.records import Record

OK, NOTE, PROBLEM = "ok", "note", "problem"


class Finding(Record, frozen=True):
    state: str
    """`ok`, `note` (it works, but know this) or `problem` (something will not work)."""
    name: str
    text: str
    cure: str = ""
    """What to do, mostly a command."""

    @staticmethod
    def ok(name: str, text: str) -> "Finding":
        return Finding(state=OK, name=name, text=text)

    @staticmethod
    def note(name: str, text: str, cure: str = "") -> "Finding":
        return Finding(state=NOTE, name=name, text=text, cure=cure)

    @staticmethod
    def problem(name: str, text: str, cure: str = "") -> "Finding":
        return Finding(state=PROBLEM, name=name, text=text, cure=cure)


class Examination(Record, frozen=True):
    """All of one board."""

    board: str
    findings: List[Finding]
