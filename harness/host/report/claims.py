"""The sentence that says what is known of a ratio: a whole one for each case, so that it can be translated."""

from typing import Dict

from harness.host.report import wording
from harness.host.report.compare import Comparison
from harness.host.report.language import _


def claim(ours: str, theirs: str, one: Comparison) -> str:
    """`ours` and `theirs` are how the two sides are called here."""
    value = one.shown
    told = {"ours": ours, "theirs": theirs, "ratio": wording.times(value.value)}
    if value.low is None or value.high is None:
        return _without_interval({**told, "rounds": wording.rounds(value.rounds)}, one.throughput)
    told["interval"] = _interval(wording.span(wording.times(value.low), wording.times(value.high)), one)
    if 0.5 <= value.value <= 1.5:
        told["percent"] = f"{abs(value.value - 1) * 100:.1f}"
    distinct = one.ratio.verdict != "not distinguishable"
    return (_of_rates if one.throughput else _of_times)(told, distinct, value.value > 1)


def _without_interval(told: Dict[str, str], throughput: bool) -> str:
    if throughput:
        return _(
            "%(ours)s makes about %(ratio)s times the inferences a second of %(theirs)s, %(rounds)s only: no verdict",
            **told,
        )
    return _("%(ours)s takes about %(ratio)s times the time of %(theirs)s, %(rounds)s only: no verdict", **told)


def _of_times(told: Dict[str, str], distinct: bool, more: bool) -> str:
    if not distinct:
        return _("%(ours)s is not distinguishable from %(theirs)s: ratio %(ratio)s, %(interval)s", **told)
    if "percent" not in told:
        return _("%(ours)s takes %(ratio)s times the time of %(theirs)s, %(interval)s", **told)
    if more:
        return _("%(ours)s takes %(ratio)s times the time of %(theirs)s (%(percent)s %% more), %(interval)s", **told)
    return _("%(ours)s takes %(ratio)s times the time of %(theirs)s (%(percent)s %% less), %(interval)s", **told)


def _of_rates(told: Dict[str, str], distinct: bool, more: bool) -> str:
    if not distinct:
        return _("%(ours)s is not distinguishable from %(theirs)s by throughput: ratio %(ratio)s, %(interval)s", **told)
    if "percent" not in told:
        return _("%(ours)s makes %(ratio)s times the inferences a second of %(theirs)s, %(interval)s", **told)
    if more:
        return _(
            "%(ours)s makes %(ratio)s times the inferences a second of %(theirs)s (%(percent)s %% more), %(interval)s",
            **told,
        )
    return _(
        "%(ours)s makes %(ratio)s times the inferences a second of %(theirs)s (%(percent)s %% less), %(interval)s",
        **told,
    )


def _interval(span: str, one: Comparison) -> str:
    if not one.covers_builds:
        return _("95 %% interval %(span)s", span=span)
    return _(
        "95 %% interval over %(ours)s and %(theirs)s builds and %(rounds)s rounds %(span)s",
        ours=len(one.ours),
        theirs=len(one.theirs),
        rounds=one.shown.rounds,
        span=span,
    )
