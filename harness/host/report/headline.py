"""The answer in one sentence, and what a reader must know with it."""

from typing import List, Optional, Sequence

from harness.host.report import verdicts, wording
from harness.host.report.claims import claim
from harness.host.report.collect import Row
from harness.host.report.compare import Comparison
from harness.host.report.language import _, ngettext


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
    setting = wording.setting(experiment)
    if one.of == "threads":
        ours, theirs = (
            _("%(name)s with %(threads)s", name=name, threads=wording.threads(row.experiment.inference.threads))
            for name, row in ((ours, one.row), (theirs, one.baseline))
        )
        said = _(
            "%(claim)s; %(setting)s (threads are compared here, not backends)",
            claim=claim(ours, theirs, one),
            setting=setting,
        )
    else:
        said = f"{claim(ours, _as_baseline(theirs, experiment.inference.threads), one)}; {setting}"
    return _of_builds(f"{said}{_badge(one)}", one)


def _as_baseline(name: str, threads: int) -> str:
    counted = wording.threads(threads)
    if name.endswith(")"):
        return _("%(name)s; baseline, %(threads)s)", name=name[:-1], threads=counted)
    return _("%(name)s (baseline, %(threads)s)", name=name, threads=counted)


def _of_builds(said: str, one: Comparison) -> str:
    """With what an engine whose builder times its candidates may not be generalised to: other builds of it."""
    if one.only_builds is None:
        return said
    if one.only_builds == 1:
        return _("%(said)s, for this one engine build", said=said)
    return _("%(said)s, for these %(count)s engine builds", said=said, count=one.only_builds)


def _badge(one: Comparison) -> str:
    """What fell short, in the headline too: a shortened cell is not what the contract promised."""
    both = (*one.ours, *one.theirs)
    short = [wording.short(row.experiment, row.variant) for row in both if row.deviations]
    said = [_("shortened by its time budget: %(names)s", names=wording.both(short))] if short else []
    said += dict.fromkeys(
        _("%(name)s executes %(executed)s", name=wording.short(row.experiment, row.variant), executed=row.executed)
        for row in both
        if row.executed
    )
    for word in verdicts.marks([result for row in both for result in row.results]):
        names = [wording.short(row.experiment, row.variant) for row in both if word in verdicts.marks(row.results)]
        said.append(f"{word}: {wording.both(names)}")
    return f" [{'; '.join(said)}]" if said else ""


def nothing(rows: Sequence[Row], declared: Optional[str] = None) -> str:
    """Why there is nothing to compare."""
    measured = [row for row in rows if row.measured and row.computes]
    if not measured:
        told = [result.reason for row in rows if row.computes for result in row.results if result.reason]
        said = _("Nothing to compare: no backend was measured")
        return f"{said} ({told[0]})" if told else said
    names = list(dict.fromkeys(wording.short(row.experiment, row.variant) for row in measured))
    missing = [
        f"{wording.backend(row.experiment.build.backend)}: {row.results[0].reason}"
        for row in rows
        if row.results and row.computes and not row.measured and row.results[0].reason
    ]
    if declared is not None and all(row.experiment.build.backend != declared for row in measured):
        said = ngettext(
            "Nothing to compare: the declared baseline, %(baseline)s, was not measured; %(names)s was",
            "Nothing to compare: the declared baseline, %(baseline)s, was not measured; %(names)s were",
            len(names),
            baseline=wording.backend(declared),
            names=wording.both(names),
        )
    else:
        said = ngettext(
            "Nothing to compare: only %(names)s was measured, with one setting each",
            "Nothing to compare: only %(names)s were measured, with one setting each",
            len(names),
            names=wording.both(names),
        )
    return f"{said} ({'; '.join(dict.fromkeys(missing))})" if missing else said
