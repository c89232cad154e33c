"""The answer in one sentence, and what a reader must know with it."""

from typing import List, Optional, Sequence

from harness.host.report import verdicts, wording
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
        told = f"{theirs[:-1]}; " if theirs.endswith(")") else f"{theirs} ("
        theirs = f"{told}baseline, {wording.threads(experiment.inference.threads)})"
    tail = f"; {wording.setting(experiment)}"
    if one.of == "threads":
        tail += " (threads are compared here, not backends)"
    return f"{_claim(ours, theirs, one)}{tail}{_badge(one)}{_builds(one)}"


def _claim(ours: str, theirs: str, one: Comparison) -> str:
    value, verdict = one.shown, one.ratio.verdict
    what = "times the inferences a second of" if one.throughput else "times the time of"
    verb = "makes" if one.throughput else "takes"
    if value.low is None or value.high is None:
        rounds = "1 round" if value.rounds == 1 else f"{value.rounds} rounds"
        return f"{ours} {verb} about {wording.times(value.value)} {what} {theirs}, {rounds} only: no verdict"
    over = f" over {_counts(one)} builds and {value.rounds} rounds" if one.covers_builds else ""
    interval = f"95 % interval{over} {wording.times(value.low)} to {wording.times(value.high)}"
    if verdict == "not distinguishable":
        by = " by throughput" if one.throughput else ""
        return f"{ours} is not distinguishable from {theirs}{by}: ratio {wording.times(value.value)}, {interval}"
    percent = ""
    if 0.5 <= value.value <= 1.5:
        percent = f" ({abs(value.value - 1) * 100:.1f} % {'more' if value.value > 1 else 'less'})"
    return f"{ours} {verb} {wording.times(value.value)} {what} {theirs}{percent}, {interval}"


def _counts(one: Comparison) -> str:
    """`3 and 3`: builds of either side."""
    return f"{len(one.ours)} and {len(one.theirs)}"


def _builds(one: Comparison) -> str:
    """What an engine whose builder times its candidates may not be generalised to: other builds of it."""
    if one.only_builds is None:
        return ""
    return f", for {'this one engine build' if one.only_builds == 1 else f'these {one.only_builds} engine builds'}"


def _badge(one: Comparison) -> str:
    """What fell short, in the headline too: a shortened cell is not what the contract promised."""
    both = (*one.ours, *one.theirs)
    short = [wording.short(row.experiment, row.variant) for row in both if row.deviations]
    other = [f"{wording.short(row.experiment, row.variant)} executes {row.executed}" for row in both if row.executed]
    said = [f"shortened by its time budget: {' and '.join(dict.fromkeys(short))}"] if short else []
    said += dict.fromkeys(other)
    for word in verdicts.marks([result for row in both for result in row.results]):
        names = [wording.short(row.experiment, row.variant) for row in both if word in verdicts.marks(row.results)]
        said.append(f"{word}: {' and '.join(dict.fromkeys(names))}")
    return f" [{'; '.join(said)}]" if said else ""


def nothing(rows: Sequence[Row], declared: Optional[str] = None) -> str:
    """Why there is nothing to compare."""
    measured = [row for row in rows if row.measured and row.computes]
    if not measured:
        told = [result.reason for row in rows if row.computes for result in row.results if result.reason]
        return f"Nothing to compare: no backend was measured{f' ({told[0]})' if told else ''}"
    names = list(dict.fromkeys(wording.short(row.experiment, row.variant) for row in measured))
    missing = [
        f"{wording.backend(row.experiment.build.backend)}: {row.results[0].reason}"
        for row in rows
        if row.results and row.computes and not row.measured and row.results[0].reason
    ]
    why = f" ({'; '.join(dict.fromkeys(missing))})" if missing else ""
    were = f"{' and '.join(names)} {'were' if len(names) > 1 else 'was'}"
    if declared is not None and all(row.experiment.build.backend != declared for row in measured):
        return f"Nothing to compare: the declared baseline, {wording.backend(declared)}, was not measured; {were}{why}"
    return f"Nothing to compare: only {were} measured, with one setting each{why}"
