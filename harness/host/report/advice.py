"""What to do next, read off the data: each line names the row it is about and what would change it."""

import math
from typing import List, Sequence

import msgspec
from msgspec import UNSET

from harness.host.report import wording
from harness.host.report.collect import Row
from harness.host.report.compare import ENOUGH_BUILDS, Comparison
from harness.host.runs import RunData
from harness.host.stats.builds import builds_for
from harness.host.stats.ratio import LEAST_ROUNDS, rounds_for
from harness.host.tuning import logs
from harness.records import TUNED, BuildOptions

WANTED = 0.02
"""An interval that reaches further than this from its ratio is called wide."""
RESTLESS = 1.5
"""P99 over median from which a row is called restless (a tuned, locked machine has about 1.02)."""


def steps(data: RunData, rows: Sequence[Row], comparisons: Sequence[Comparison]) -> List[str]:
    found = [*_precision(rows), *_untuned(rows), *_intervals(comparisons, data.rounds)]
    return list(
        dict.fromkeys([*found, *_builds(comparisons), *_budget(rows), *_restless(data, rows), *_shortfalls(rows)])
    )


def _untuned(rows: Sequence[Row]) -> List[str]:
    tuned = {_untuned_build(row) for row in rows if row.measured and row.experiment.build.variant == TUNED}
    untuned = [
        row for row in rows if row.measured and row.variant.startswith("untuned") and row.experiment.build not in tuned
    ]
    if not untuned:
        return []
    name = wording.short(untuned[0].experiment, untuned[0].variant)
    backend = wording.backend(untuned[0].experiment.build.backend)
    return [
        f"{name} runs default schedules: these rows say what {backend} does out of the box, not what it can reach. "
        f"Tune it before you conclude anything about it: {logs.cure(untuned[0].experiment.build)}, and then "
        "make bench VARIANTS=untuned,tuned"
    ]


def _untuned_build(row: Row) -> BuildOptions:
    return msgspec.structs.replace(row.experiment.build, variant=UNSET)


def _precision(rows: Sequence[Row]) -> List[str]:
    return [
        f"{wording.long(row.experiment, row.variant)}, {wording.setting(row.experiment)}: asked for "
        f"{row.experiment.build.precision}, executes {row.executed}. Use fp32 on this device, or measure "
        f"{row.experiment.build.precision} where it has kernels (a GPU, or a CPU with FP16 arithmetic)"
        for row in rows
        if row.measured and row.executed
    ]


def _intervals(comparisons: Sequence[Comparison], planned: int) -> List[str]:
    found = []
    for one in comparisons:
        value, name = (
            one.ratio,
            f"{wording.short(one.row.experiment, one.row.variant)}, {wording.setting(one.row.experiment)}",
        )
        if value.low is None or value.high is None:
            if planned < LEAST_ROUNDS:
                found.append(f"{name}: fewer than {LEAST_ROUNDS} rounds give no verdict; ROUNDS=5 would")
            continue
        if value.high / value.value > 1 + WANTED:
            enough = _more_builds(one) if one.covers_builds else _more_rounds(one)
            reach = (value.high / value.value - 1) * 100
            found.append(
                f"{name}: its interval reaches {reach:.0f} % from the ratio; for {WANTED * 100:.0f} % {enough}"
            )
    return found


def _more_rounds(one: Comparison) -> str:
    rounds = rounds_for(one.ratio.per_round, WANTED)
    return f"about ROUNDS={rounds} would do" if rounds else "no sensible number of rounds would do: calm the machine"


def _more_builds(one: Comparison) -> str:
    ours, theirs = ([row.times_ns for row in side] for side in (one.ours, one.theirs))
    builds = builds_for(ours, theirs, WANTED)
    if builds is not None:
        return f"about BUILDS={builds} would do"
    return "no sensible number of builds would do in so few rounds: take more of both"


def _builds(comparisons: Sequence[Comparison]) -> List[str]:
    sides = [side[0] for one in comparisons if one.only_builds is not None for side in (one.ours, one.theirs)]
    names = dict.fromkeys(wording.backend(row.experiment.build.backend) for row in sides if row.builds_vary)
    return [
        f"{one} chooses by timing what it builds, so that one build is one draw: BUILDS={ENOUGH_BUILDS} or more "
        "says how much builds differ, and covers it"
        for one in names
    ]


def _budget(rows: Sequence[Row]) -> List[str]:
    found = []
    for row in rows:
        if row.measured and row.deviations:
            inference = row.experiment.inference
            each_ns = row.parts.total_ns if row.ok else max(row.times_ns.values())
            needed = (inference.warmup + inference.iterations) * each_ns / 1e9
            name = f"{wording.short(row.experiment, row.variant)}, {wording.setting(row.experiment)}"
            found.append(
                f"{name}: its time budget cut it short; MAX_SECONDS={math.ceil(needed * 1.2)} gives it "
                f"{inference.warmup} warm-ups and {inference.iterations} iterations"
            )
    return found


def _restless(data: RunData, rows: Sequence[Row]) -> List[str]:
    restless = [
        row for row in rows if row.ok and row.computes and row.summary.p99_ns > RESTLESS * row.summary.median_ns
    ]
    if not restless:
        return []
    names = ", ".join(
        dict.fromkeys(
            f"{wording.short(row.experiment, row.variant)} ({wording.setting(row.experiment)}, "
            f"{wording.threads(row.experiment.inference.threads)})"
            for row in restless
        )
    )
    governor = data.machine.governor
    cure = "close what else runs on it"
    if governor is not None and governor != "performance":
        cure += f", and set the CPU governor, now {governor}, to performance"
    return [f"P99 lies more than {RESTLESS:g} times above the median of {names}: the machine was not at rest; {cure}"]


def _shortfalls(rows: Sequence[Row]) -> List[str]:
    if any(result.status == "crashed" for row in rows for result in row.results):
        return ["Some cells crashed: RETRY=crashed measures them again"]
    return []
