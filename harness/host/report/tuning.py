"""The report's section on tuning: what it took, what each task got of it, and what the tuned engine has shown."""

from typing import Dict, List, NamedTuple, Sequence

from harness.host.engines import EngineStore
from harness.host.progress import duration
from harness.host.report import wording
from harness.host.report.collect import Row
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
    machines = ", ".join(dict.fromkeys(job.machine for job in account.jobs)) or "a machine that they do not name"
    threads = sorted({job.threads for job in account.jobs})
    with_threads = f" with {' and '.join(map(str, threads))} thread{'s' if threads != [1] else ''}" if threads else ""
    header = account.header
    return (
        f"Records {account.tuning.records_sha256[:12]} were {account.origin}: of target {header.target}, TVM "
        f"{header.version}, measured on {machines}{with_threads}."
    )


def _effort(account: Account) -> List[str]:
    tuning = account.tuning
    rate = f", {tuning.trials / tuning.seconds * 60:.0f} a minute" if tuning.seconds else ""
    seeds = ", ".join(map(str, tuning.seeds))
    how = ", ".join(
        dict.fromkeys(f"{job.strategy} search with the cost model {job.cost_model}" for job in account.jobs)
    )
    jobs = f"{len(account.jobs)} jobs" if len(account.jobs) != 1 else "1 job"
    found = [
        f"{tuning.trials} trials in {duration(tuning.seconds)} of {jobs}{rate}; {how or 'how is not known'}; "
        f"seed{'s' if len(tuning.seeds) != 1 else ''} {seeds}."
    ]
    if account.ends:
        seconds = sum(end.seconds for end in account.ends)
        share = sum(end.measuring_seconds for end in account.ends) / seconds if seconds else 0.0
        invalid, timed_out, crashed = (
            sum(getattr(end, name) for end in account.ends) for name in ("invalid", "timed_out", "crashed")
        )
        found.append(
            f"Measuring took {share:.0%} of that time; beside the trials {invalid} candidates were invalid, "
            f"{timed_out} timed out and {crashed} crashed."
        )
    killed = len(account.jobs) - len(account.ends)
    if killed:
        found.append(f"{killed} of the jobs {'were' if killed > 1 else 'was'} ended from outside; its trials count.")
    return found


def _proofs(row: Row, account: Account) -> List[str]:
    proofs = account.proofs.proofs if account.proofs else []
    if not proofs:
        return ["This engine has not been held against its untuned one."]
    found = [
        f"Held against untuned before anything else was measured, in {one.rounds} rounds of one process, with "
        f"{wording.threads(one.threads)}: tuned takes {wording.times(one.ratio)} times the time, 95 % interval "
        f"{wording.times(one.low)} to {wording.times(one.high)}{_not_slower(one)}."
        for one in proofs
    ]
    if row.variant.startswith(EngineStore.FALLBACK):
        found.append("So the untuned schedules are what was delivered and measured here, under this name.")
    return found


def _not_slower(one: Proof) -> str:
    return ": slower" if one.slower else "" if one.high < 1 else ": not shown to be slower"


def _damage(account: Account) -> List[str]:
    return [f"Of the records, {text}." for text in account.dropped]


def tasks(account: Account) -> Table:
    """The heaviest tasks; times of one call."""
    shown, others = account.parts[:MOST_TASKS], account.parts[MOST_TASKS:]
    lines = [
        [
            one.name,
            "" if one.share is None else f"{one.share * 100:.1f} %",
            str(one.weight),
            str(one.trials),
            _microseconds(one.default_ns),
            _microseconds(one.tuned_ns),
            _gain(one),
            "kept" if one.kept else one.why,
        ]
        for one in shown
    ]
    if others:
        share = sum(one.share or 0.0 for one in others)
        kept = sum(one.kept for one in others)
        trials = sum(one.trials for one in others)
        name = f"{len(others)} others"
        lines.append([name, f"{share * 100:.1f} %", "", str(trials), "", "", "", f"{kept} kept"])
    headers = ["task", "share of time:", "calls:", "trials:", "default us:", "tuned us:", "gain:", "tuned schedule"]
    return Table(headers, lines)


def _gain(one: Part) -> str:
    """How many times as fast: `3.42`."""
    if one.default_ns is None or one.tuned_ns is None:
        return ""
    return wording.times(one.default_ns / one.tuned_ns)


def _microseconds(value_ns: object) -> str:
    return "none" if not isinstance(value_ns, (int, float)) else wording.figure(value_ns / 1e3, 4)
