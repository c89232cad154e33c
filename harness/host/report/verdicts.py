"""What the sensors' two verdicts mean for a reader: badges of rows, a word in the headline, what nobody could see."""

from typing import Dict, List, NamedTuple, Sequence, Tuple

from harness.host.report import recorded, wording
from harness.host.report.language import _
from harness.records import Cause, Result
from harness.records.verdict import CLEAN, INVALID, LIMITED, UNKNOWN, VALID

MARKED = (INVALID, LIMITED)
"""What a row wears with every figure; the others are said once for all."""


class Seen(NamedTuple):
    """What holds for the run as a whole."""

    counts: Dict[str, int]
    """Measured cells by verdict: VALID and INVALID, then CLEAN, LIMITED and UNKNOWN."""
    unknown: List[str]
    """Why some of them have no verdict on the hardware, and what would give them one."""
    noted: List[str]
    """What was seen and changes no verdict."""
    absent: List[str]
    """Channels without a reading, each with its reason."""


def badges(results: Sequence[Result]) -> List[str]:
    """One for each reason that marks any round, with how many rounds, and what to do.

    Reasons tell figures, which differ from round to round: those of one code and subject (their first word) are one,
    told as the round with the largest share has it. Nothing is averaged.
    """
    measured = [one for one in results if one.samples is not None]
    found: Dict[Tuple[str, str], Dict[int, Cause]] = {}
    for result in measured:
        for cause in _causes(result):
            if cause.weight in MARKED:
                rounds = found.setdefault((cause.code, cause.reason.split(maxsplit=1)[0]), {})
                rounds[result.round] = max(rounds.get(result.round, cause), cause, key=_share)
    return [_badge(rounds, len(measured)) for rounds in found.values()]


def marks(results: Sequence[Result]) -> List[str]:
    """`INVALID`, `LIMITED`: what any of these cells was marked with."""
    weights = {cause.weight for result in results for cause in _causes(result)}
    return [word for word in MARKED if word in weights]


def seen(results: Sequence[Result]) -> Seen:
    counts: Dict[str, int] = {}
    unknown: Dict[str, None] = {}
    noted: Dict[str, None] = {}
    absent: Dict[str, None] = {}
    for result in results:
        for verdict in (result.integrity, result.hardware):
            if verdict is not None:
                counts[verdict.verdict] = counts.get(verdict.verdict, 0) + 1
        for cause in _causes(result):
            reason, advice = recorded.said(cause.reason), recorded.said(cause.advice)
            text = f"{reason} ({advice})" if advice else reason
            if cause.weight == UNKNOWN:
                unknown[text] = None
            elif cause.weight not in MARKED:
                noted[text] = None
        for channel in result.telemetry.channels if result.telemetry is not None else []:
            if not channel.readings:
                reason = recorded.said(channel.reason) or _("it gave no reading")
                absent[f"{recorded.said(channel.what)} (`{channel.name}`): {reason}"] = None
    ordered = {word: counts[word] for word in (VALID, INVALID, CLEAN, LIMITED, UNKNOWN) if word in counts}
    return Seen(ordered, list(unknown), list(noted), list(absent))


def _causes(result: Result) -> List[Cause]:
    return [cause for verdict in (result.integrity, result.hardware) if verdict is not None for cause in verdict.causes]


def _share(cause: Cause) -> float:
    return cause.share or 0.0


def _badge(by_round: Dict[int, Cause], rounds: int) -> str:
    worst = max(by_round.values(), key=_share)
    told = {"weight": worst.weight, "marked": len(by_round), "rounds": rounds, "reason": recorded.said(worst.reason)}
    if worst.share is None:
        said = _("%(weight)s in %(marked)s of %(rounds)s rounds: %(reason)s", **told)
    else:
        said = _(
            "%(weight)s in %(marked)s of %(rounds)s rounds: %(reason)s, up to %(share)s of its iterations",
            share=wording.percent(f"{worst.share * 100:.0f}"),
            **told,
        )
    return f"{said}; {recorded.said(worst.advice)}" if worst.advice else said
