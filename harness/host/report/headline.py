"""The answer in one sentence, and what a reader must know with it."""

from typing import List, Optional, Sequence

from harness.host.report import wording
from harness.host.report.collect import Row
from harness.host.report.compare import Comparison


def sentences(comparisons: Sequence[Comparison], rows: Sequence[Row], declared: Optional[str] = None) -> List[str]:
    """One per comparison, the first is the headline; or one that says why there is none. `declared` is a baseline."""
    if comparisons:
        return [sentence(one) for one in comparisons]
    return [nothing(rows, declared)]


def sentence(one: Comparison) -> str:
    """`TVM untuned takes 22.6 times the time of ONNX Runtime (baseline, 2 threads), 95 % interval ...; yolov5n 320`."""
    experiment = one.row.experiment
    ours = wording.short(experiment, one.row.variant)
    theirs = wording.short(one.baseline.experiment, one.baseline.variant)
    if one.of == "threads":
        ours += f" with {wording.threads(experiment.inference.threads)}"
        theirs += f" with {wording.threads(one.baseline.experiment.inference.threads)}"
    else:
        theirs += f" (baseline, {wording.threads(experiment.inference.threads)})"
    tail = f"; {wording.setting(experiment)}"
    if one.of == "threads":
        tail += " (threads are compared here, not backends)"
    return f"{_claim(ours, theirs, one)}{tail}{_badge(one)}"


def _claim(ours: str, theirs: str, one: Comparison) -> str:
    value = one.ratio
    if value.low is None or value.high is None:
        rounds = "1 round" if value.rounds == 1 else f"{value.rounds} rounds"
        return f"{ours} takes about {wording.times(value.value)} times the time of {theirs}, {rounds} only: no verdict"
    interval = f"95 % interval {wording.times(value.low)} to {wording.times(value.high)}"
    if value.verdict == "not distinguishable":
        return f"{ours} is not distinguishable from {theirs}: ratio {wording.times(value.value)}, {interval}"
    percent = ""
    if 0.5 <= value.value <= 1.5:
        percent = f" ({abs(value.value - 1) * 100:.1f} % {'more' if value.value > 1 else 'less'})"
    return f"{ours} takes {wording.times(value.value)} times the time of {theirs}{percent}, {interval}"


def _badge(one: Comparison) -> str:
    """What fell short, in the headline too: a shortened cell is not what the contract promised."""
    both = (one.row, one.baseline)
    short = [wording.short(row.experiment, row.variant) for row in both if row.deviations]
    other = [f"{wording.short(row.experiment, row.variant)} executes {row.executed}" for row in both if row.executed]
    said = [f"shortened by its time budget: {' and '.join(dict.fromkeys(short))}"] if short else []
    said += dict.fromkeys(other)
    return f" [{'; '.join(said)}]" if said else ""


def nothing(rows: Sequence[Row], declared: Optional[str] = None) -> str:
    """Why there is nothing to compare."""
    measured = [row for row in rows if row.ok and row.computes]
    if not measured:
        reasons = list(dict.fromkeys(result.reason for row in rows for result in row.results if result.reason))
        return f"Nothing to compare: no backend was measured{f' ({reasons[0]})' if reasons else ''}"
    names = list(dict.fromkeys(wording.short(row.experiment, row.variant) for row in measured))
    missing = [
        f"{wording.backend(row.experiment.build.backend)}: {row.results[0].reason}"
        for row in rows
        if row.results and not row.ok and row.results[0].reason
    ]
    why = f" ({'; '.join(dict.fromkeys(missing))})" if missing else ""
    were = f"{' and '.join(names)} {'were' if len(names) > 1 else 'was'}"
    if declared is not None and all(row.experiment.build.backend != declared for row in measured):
        return f"Nothing to compare: the declared baseline, {wording.backend(declared)}, was not measured; {were}{why}"
    return f"Nothing to compare: only {were} measured, with one setting each{why}"
