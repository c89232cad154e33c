"""Two runs held against each other, experiment by experiment: did anything get slower?"""

import statistics
from typing import Dict, Iterable, List, NamedTuple, Optional, Tuple

import msgspec
from msgspec import UNSET

from harness.errors import PlanError
from harness.host import machines
from harness.host.report import wording
from harness.host.report.collect import Row, rows
from harness.host.report.table import Table
from harness.host.runs import RunData
from harness.host.stats.welch import Change, change
from harness.records import BuildOptions, InferenceOptions

Measured = Tuple[BuildOptions, InferenceOptions]


class Pair(NamedTuple):
    old: Optional[Row]
    new: Optional[Row]
    change: Optional[Change]
    """None where either run has no latency and no rate of it."""


class Comparison(NamedTuple):
    pairs: List[Pair]
    notes: List[str]
    """What a reader must know before believing the table."""


def compare(old: RunData, new: RunData) -> Comparison:
    """Rows meet by what they measure and how, budgets included; on what board and in what container, a note says.

    Raises PlanError where no two rows meet: such a comparison would find nothing slower, whatever had happened.
    """
    before = {_measured(row): row for row in rows(old)}
    after = {_measured(row): row for row in rows(new)}
    if not set(before) & set(after):
        raise PlanError(
            f"OLD and NEW: {old.run.name} and {new.run.name} have no experiment in common"
            f"{_how_they_differ(before, after)}; compare runs of the same models and the same plan"
        )
    pairs = []
    for what in [*before, *(one for one in after if one not in before)]:
        one, other = before.get(what), after.get(what)
        both = one is not None and other is not None and one.measured and other.measured
        found = None
        if both and one is not None and other is not None:
            found = change(list(other.times_ns.values()), list(one.times_ns.values()))
        pairs.append(Pair(one, other, found))
    return Comparison(pairs, _notes(old, new))


def _measured(row: Row) -> Measured:
    return row.experiment.build, row.experiment.inference


def _how_they_differ(before: Iterable[Measured], after: Iterable[Measured]) -> str:
    """What else was asked of the first engine that both measured; empty where they share none."""
    for build, old in before:
        for other, new in after:
            if build == other:
                was, now = msgspec.structs.asdict(old), msgspec.structs.asdict(new)
                changed = [f"{name}: {was[name]} then, {now[name]} now" for name in was if was[name] != now[name]]
                return f" ({', '.join(changed)})"
    return ""


def _notes(old: RunData, new: RunData) -> List[str]:
    notes = []
    different = machines.difference(old.machine, new.machine)
    if different:
        notes.append(f"the machine or the harness was not the same: {different}")
    hashes = {model.reference: model.sha256 for model in old.run.models}
    changed = [one.reference for one in new.run.models if hashes.get(one.reference, one.sha256) != one.sha256]
    if changed:
        notes.append(f"the bytes of {', '.join(changed)} are others: what is compared is not one model")
    before, after = _records(old), _records(new)
    notes += [
        f"{name}: its schedules come from other tuning records now: what is compared is not one engine"
        for name in before
        if name in after and before[name] != after[name]
    ]
    for name, data in (("OLD", old), ("NEW", new)):
        notes += [f"{name}: {text}" for text in data.broken]
    return notes


def _records(data: RunData) -> Dict[str, str]:
    """By how a tuned engine is called, the hash of its records; a fallback is known by its variant."""
    return {
        f"{wording.backend(row.experiment.build.backend)} {row.experiment.build.variant}, "
        f"{wording.setting(row.experiment)}": f"{row.variant} {row.engine.ingredients.tuning.records_sha256}"
        for row in rows(data)
        if row.engine is not None and row.engine.ingredients.tuning is not UNSET
    }


def table(comparison: Comparison, threshold: float) -> Table:
    lines = []
    for pair in comparison.pairs:
        row = pair.new or pair.old
        assert row is not None
        columns, verdict = _columns(pair, threshold)
        threads = str(row.experiment.inference.threads)
        name = wording.long(row.experiment, row.variant)
        lines.append([wording.setting(row.experiment), name, threads, *columns, verdict])
    headers = ["model", "engine", "threads:", "old ms:", "new ms:", "new / old:", "95 % interval", "rounds", "verdict"]
    return Table(headers, lines)


def _columns(pair: Pair, threshold: float) -> Tuple[List[str], str]:
    medians = [_milliseconds(one) for one in (pair.old, pair.new)]
    if pair.change is None or pair.old is None or pair.new is None:
        return [*medians, "-", "-", "-"], "only in one run" if None in pair[:2] else "not measured in both"
    found = pair.change
    rounds = f"{len(pair.old.times_ns)} and {len(pair.new.times_ns)}"
    if found.low is None or found.high is None:
        return [*medians, wording.times(found.value), "none", rounds], "no verdict: fewer than 3 rounds"
    interval = f"{wording.times(found.low)} to {wording.times(found.high)}"
    verdict = "no change beyond interval and threshold"
    if found.slower_than(threshold):
        verdict = "slower"
    elif found.faster_than(threshold):
        verdict = "faster"
    return [*medians, wording.times(found.value), interval, rounds], verdict


def _milliseconds(row: Optional[Row]) -> str:
    """Median compute; of throughput, the time of an inference at the median rate of the rounds."""
    if row is None or not row.measured:
        return "-"
    return wording.milliseconds(row.summary.median_ns if row.ok else statistics.median(row.times_ns.values()))


def regressions(comparison: Comparison, threshold: float) -> List[Pair]:
    """What computes and got slower; the floor moves with the interpreter and is nobody's regression."""
    return [
        pair
        for pair in comparison.pairs
        if pair.change is not None and pair.new is not None and pair.new.computes and pair.change.slower_than(threshold)
    ]
