"""The report's section on tuning: what it took, what each task got of it, and what the tuned engine has shown."""

from typing import Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from harness.host.engines import EngineStore
from harness.host.report import recorded, wording
from harness.host.report.collect import Row
from harness.host.report.language import _, ngettext
from harness.host.report.table import Table
from harness.host.runs import RunData
from harness.host.tuning.account import Account, Part
from harness.records.proof import Proof

MOST_TASKS = 20
"""The heaviest; the others stand in one line."""


class Tuned(NamedTuple):
    """What is said of one tuned engine."""

    name: str
    sentences: List[str]
    tasks: Table
    account: Account


def tuned(data: RunData, rows: Sequence[Row]) -> List[Tuned]:
    """Each tuned engine of the run once, in the order of its rows."""
    found: Dict[str, Tuned] = {}
    for row in rows:
        account = data.tunings.get(data.on.engines.get(row.experiment.slug(), ""))
        if account is not None and account.engine not in found:
            title = f"{wording.short(row.experiment, row.variant)}, {wording.setting(row.experiment)}"
            found[account.engine] = Tuned(title, sentences(row, account), tasks(account), account)
    return list(found.values())


def sentences(row: Row, account: Account) -> List[str]:
    """Where the records came from, what there was of them, and what was proved."""
    return [_origin(account), *_effort(account), *_proofs(row, account), *_damage(account)]


def _origin(account: Account) -> str:
    told = {
        "records": account.tuning.records_sha256[:12],
        "origin": recorded.said(account.origin),
        "target": account.header.target,
        "version": account.header.version,
    }
    if not account.jobs:
        return _(
            "Records %(records)s were %(origin)s: of target %(target)s, TVM %(version)s; they do not name the machine "
            "that measured.",
            **told,
        )
    return _(
        "Records %(records)s were %(origin)s: of target %(target)s, TVM %(version)s, measured on %(machines)s with "
        "%(threads)s.",
        machines=", ".join(dict.fromkeys(job.machine for job in account.jobs)),
        threads=wording.both(wording.threads(count) for count in sorted({job.threads for job in account.jobs})),
        **told,
    )


def _effort(account: Account) -> List[str]:
    return [_trials(account), *_search(account), *_ends(account)]


def _trials(account: Account) -> str:
    tuning, count = account.tuning, len(account.jobs)
    told = {
        "trials": ngettext("%(count)s trial", "%(count)s trials", tuning.trials, count=tuning.trials),
        "time": wording.duration(tuning.seconds),
        "jobs": ngettext("%(count)s job", "%(count)s jobs", count, count=count),
    }
    if not tuning.seconds:
        return _("%(trials)s in %(time)s of %(jobs)s.", **told)
    rate = f"{tuning.trials / tuning.seconds * 60:.0f}"
    return _("%(trials)s in %(time)s of %(jobs)s, %(rate)s a minute.", rate=rate, **told)


def _search(account: Account) -> List[str]:
    """One for each way in which jobs searched."""
    seeds: Dict[Tuple[str, str], Set[int]] = {}
    for job in account.jobs:
        seeds.setdefault((job.strategy, job.cost_model), set()).add(job.seed)
    return [
        ngettext(
            "Search: %(strategy)s, with the cost model %(cost_model)s and seed %(seeds)s.",
            "Search: %(strategy)s, with the cost model %(cost_model)s and seeds %(seeds)s.",
            len(each),
            strategy=strategy,
            cost_model=cost_model,
            seeds=", ".join(map(str, sorted(each))),
        )
        for (strategy, cost_model), each in seeds.items()
    ]


def _ends(account: Account) -> List[str]:
    found = []
    if account.ends:
        seconds = sum(end.seconds for end in account.ends)
        share = sum(end.measuring_seconds for end in account.ends) / seconds if seconds else 0.0
        found.append(
            _(
                "Measuring took %(share)s of that time. Candidates beside the trials: %(invalid)s invalid, "
                "%(timed_out)s timed out, %(crashed)s crashed.",
                share=wording.percent(f"{share * 100:.0f}"),
                invalid=sum(end.invalid for end in account.ends),
                timed_out=sum(end.timed_out for end in account.ends),
                crashed=sum(end.crashed for end in account.ends),
            )
        )
    killed = len(account.jobs) - len(account.ends)
    if killed:
        found.append(
            ngettext(
                "%(count)s of the jobs was ended from outside; its trials count.",
                "%(count)s of the jobs were ended from outside; their trials count.",
                killed,
                count=killed,
            )
        )
    return found


def _proofs(row: Row, account: Account) -> List[str]:
    proofs = account.proofs.proofs if account.proofs else []
    if not proofs:
        return [_("This engine has not been held against its untuned one.")]
    found = [" ".join([_held(one), *_not_faster(one)]) for one in proofs]
    if row.variant.startswith(EngineStore.FALLBACK):
        found.append(_("So the untuned schedules are what was delivered and measured here, under this name."))
    return found


def _held(one: Proof) -> str:
    return _(
        "Held against untuned before anything else was measured, in %(rounds)s of one process, with %(threads)s: tuned "
        "takes %(ratio)s times the time, 95 %% interval %(span)s.",
        rounds=wording.rounds(one.rounds),
        threads=wording.threads(one.threads),
        ratio=wording.times(one.ratio),
        span=wording.span(wording.times(one.low), wording.times(one.high)),
    )


def _not_faster(one: Proof) -> List[str]:
    """What follows where the proof shows no gain."""
    if one.slower:
        return [_("Tuned was shown to be slower.")]
    return [] if one.high < 1 else [_("Tuned was not shown to be slower.")]


def _damage(account: Account) -> List[str]:
    return [_("Of the records, %(damage)s.", damage=recorded.said(text)) for text in account.dropped]


def tasks(account: Account) -> Table:
    """The heaviest tasks; times of one call."""
    shown, others = account.parts[:MOST_TASKS], account.parts[MOST_TASKS:]
    lines = [
        [
            one.name,
            "" if one.share is None else _percent(one.share),
            str(one.weight),
            str(one.trials),
            _microseconds(one.default_ns),
            _microseconds(one.tuned_ns),
            _gain(one),
            _("kept") if one.kept else recorded.said(one.why),
        ]
        for one in shown
    ]
    if others:
        share = sum(one.share or 0.0 for one in others)
        trials = sum(one.trials for one in others)
        name = ngettext("%(count)s other", "%(count)s others", len(others), count=len(others))
        kept = _("%(count)s kept", count=sum(one.kept for one in others))
        lines.append([name, _percent(share), "", str(trials), "", "", "", kept])
    headers = [
        _("task"),
        _("share of time:"),
        _("calls:"),
        _("trials:"),
        _("default us:"),
        _("tuned us:"),
        _("gain:"),
        _("tuned schedule"),
    ]
    return Table(headers, lines)


def _percent(share: float) -> str:
    return wording.percent(f"{share * 100:.1f}")


def _gain(one: Part) -> str:
    """How many times as fast: `3.42`."""
    if one.default_ns is None or one.tuned_ns is None:
        return ""
    return wording.times(one.default_ns / one.tuned_ns)


def _microseconds(value_ns: Optional[float]) -> str:
    return _("none") if value_ns is None else wording.figure(value_ns / 1e3, 4)
