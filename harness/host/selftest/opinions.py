"""What the doctor and trtexec say, as lines of a self-test."""

from typing import List, Sequence

from harness.host.crosscheck.outcome import Crosscheck
from harness.host.doctor.finding import NOTE, PROBLEM, Finding
from harness.host.report.wording import milliseconds
from harness.host.selftest.cells import name
from harness.host.selftest.line import CROSSCHECK, DOCTOR, FAILED, OK, SKIPPED, Line

CLOCKS = "clocks"
"""The doctor's finding that says whether the GPU's clock is locked."""
UNLOCKED = "the GPU's clock is not known to be locked (sudo jetson_clocks), so that is shown and not judged"


def doctor(findings: Sequence[Finding]) -> List[Line]:
    return [_finding(one) for one in findings]


def _finding(one: Finding) -> Line:
    text = f"{one.text}; cure: {one.cure}" if one.cure else one.text
    if one.state == PROBLEM:
        return Line(DOCTOR, one.name, FAILED, text)
    if one.state == NOTE and one.text.startswith("skipped: "):
        return Line(DOCTOR, one.name, SKIPPED, one.text[len("skipped: ") :])
    return Line(DOCTOR, one.name, OK, f"note: {text}" if one.state == NOTE else text)


def clocks_locked(findings: Sequence[Finding]) -> bool:
    return any(one.name == CLOCKS and one.state not in (NOTE, PROBLEM) for one in findings)


def crosscheck(outcomes: Sequence[Crosscheck], locked: bool) -> List[Line]:
    """A difference counts as a failure only where clocks cannot be its reason."""
    return [_outcome(one, locked) for one in outcomes]


def _outcome(one: Crosscheck, locked: bool) -> Line:
    what = name(one.experiment) + (" CUDA graph" if one.experiment.inference.cuda_graph is True else "")
    if one.status != "ok":
        return Line(CROSSCHECK, what, SKIPPED if one.status == "skipped" else FAILED, one.reason)
    judged = [row for row in one.compared if row.verdict]
    if not judged:
        rows = [f"{row.quantity} {row.ours:.4g} {row.unit}, trtexec {row.theirs:.4g}" for row in one.compared[:1]]
        return Line(CROSSCHECK, what, OK, "; ".join([*rows, "not judged"]))
    text = "; ".join(
        f"{row.quantity}: {row.verdict} ({milliseconds(row.ours)} ms, trtexec {milliseconds(row.theirs)} ms)"
        for row in judged
    )
    if not one.differs:
        return Line(CROSSCHECK, what, OK, text)
    return Line(CROSSCHECK, what, FAILED, text) if locked else Line(CROSSCHECK, what, SKIPPED, f"{text}; {UNLOCKED}")
