"""What to do next, read off the data: each line names the row it is about and what would change it."""

import math
from typing import List, Sequence

import msgspec
from msgspec import UNSET

from harness.host.report import wording
from harness.host.report.collect import Row
from harness.host.report.compare import ENOUGH_BUILDS, Comparison
from harness.host.report.language import _
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


def _name(row: Row) -> str:
    return f"{wording.short(row.experiment, row.variant)}, {wording.setting(row.experiment)}"


def _untuned(rows: Sequence[Row]) -> List[str]:
    tuned = {_untuned_build(row) for row in rows if row.measured and row.experiment.build.variant == TUNED}
    untuned = [
        row for row in rows if row.measured and row.variant.startswith("untuned") and row.experiment.build not in tuned
    ]
    if not untuned:
        return []
    return [
        _(
            "%(name)s runs default schedules: these rows say what %(backend)s does out of the box, not what it can "
            "reach. Tune it before you conclude anything about it: `%(cure)s`, and then `make bench "
            "VARIANTS=untuned,tuned`",
            name=wording.short(untuned[0].experiment, untuned[0].variant),
            backend=wording.backend(untuned[0].experiment.build.backend),
            cure=logs.cure(untuned[0].experiment.build),
        )
    ]


def _untuned_build(row: Row) -> BuildOptions:
    return msgspec.structs.replace(row.experiment.build, variant=UNSET)


def _precision(rows: Sequence[Row]) -> List[str]:
    return [
        _(
            "%(name)s: asked for %(precision)s, executes %(executed)s. Use fp32 on this device, or measure "
            "%(precision)s where it has kernels (a GPU, or a CPU with FP16 arithmetic)",
            name=f"{wording.long(row.experiment, row.variant)}, {wording.setting(row.experiment)}",
            precision=row.experiment.build.precision,
            executed=row.executed,
        )
        for row in rows
        if row.measured and row.executed
    ]


def _intervals(comparisons: Sequence[Comparison], planned: int) -> List[str]:
    found = []
    for one in comparisons:
        value, name = one.ratio, _name(one.row)
        if value.low is None or value.high is None:
            if planned < LEAST_ROUNDS:
                found.append(
                    _(
                        "%(name)s: fewer than %(least)s rounds give no verdict; ROUNDS=5 would",
                        name=name,
                        least=LEAST_ROUNDS,
                    )
                )
            continue
        if value.high / value.value > 1 + WANTED:
            reach = f"{(value.high / value.value - 1) * 100:.0f}"
            found.append((_for_builds if one.covers_builds else _for_rounds)(one, name, reach))
    return found


def _for_rounds(one: Comparison, name: str, reach: str) -> str:
    told = {"name": name, "reach": reach, "wanted": f"{WANTED * 100:.0f}"}
    rounds = rounds_for(one.ratio.per_round, WANTED)
    if rounds:
        return _(
            "%(name)s: its interval reaches %(reach)s %% from the ratio; for %(wanted)s %% about ROUNDS=%(rounds)s "
            "would do",
            rounds=rounds,
            **told,
        )
    return _(
        "%(name)s: its interval reaches %(reach)s %% from the ratio; for %(wanted)s %% no sensible number of rounds "
        "would do: calm the machine",
        **told,
    )


def _for_builds(one: Comparison, name: str, reach: str) -> str:
    told = {"name": name, "reach": reach, "wanted": f"{WANTED * 100:.0f}"}
    ours, theirs = ([row.times_ns for row in side] for side in (one.ours, one.theirs))
    builds = builds_for(ours, theirs, WANTED)
    if builds is not None:
        return _(
            "%(name)s: its interval reaches %(reach)s %% from the ratio; for %(wanted)s %% about BUILDS=%(builds)s "
            "would do",
            builds=builds,
            **told,
        )
    return _(
        "%(name)s: its interval reaches %(reach)s %% from the ratio; for %(wanted)s %% no sensible number of builds "
        "would do in so few rounds: take more of both",
        **told,
    )


def _builds(comparisons: Sequence[Comparison]) -> List[str]:
    sides = [side[0] for one in comparisons if one.only_builds is not None for side in (one.ours, one.theirs)]
    names = dict.fromkeys(wording.backend(row.experiment.build.backend) for row in sides if row.builds_vary)
    return [
        _(
            "%(backend)s chooses by timing what it builds, so that one build is one draw: BUILDS=%(enough)s or more "
            "says how much builds differ, and covers it",
            backend=one,
            enough=ENOUGH_BUILDS,
        )
        for one in names
    ]


def _budget(rows: Sequence[Row]) -> List[str]:
    found = []
    for row in rows:
        if row.measured and row.deviations:
            inference = row.experiment.inference
            each_ns = row.parts.total_ns if row.ok else max(row.times_ns.values())
            needed = (inference.warmup + inference.iterations) * each_ns / 1e9
            found.append(
                _(
                    "%(name)s: its time budget cut it short; MAX_SECONDS=%(seconds)s gives it %(warmup)s warm-ups and "
                    "%(iterations)s iterations",
                    name=_name(row),
                    seconds=math.ceil(needed * 1.2),
                    warmup=inference.warmup,
                    iterations=inference.iterations,
                )
            )
    return found


def _restless(data: RunData, rows: Sequence[Row]) -> List[str]:
    restless = [
        row for row in rows if row.ok and row.computes and row.summary.p99_ns > RESTLESS * row.summary.median_ns
    ]
    if not restless:
        return []
    names = dict.fromkeys(
        f"{wording.short(row.experiment, row.variant)} ({wording.setting(row.experiment)}, "
        f"{wording.threads(row.experiment.inference.threads)})"
        for row in restless
    )
    told = {"times": f"{RESTLESS:g}", "names": ", ".join(names)}
    governor = data.machine.governor
    if governor is None or governor == "performance":
        return [
            _(
                "P99 lies more than %(times)s times above the median of %(names)s: the machine was not at rest; close "
                "what else runs on it",
                **told,
            )
        ]
    return [
        _(
            "P99 lies more than %(times)s times above the median of %(names)s: the machine was not at rest; close what "
            "else runs on it, and set the CPU governor, now %(governor)s, to performance",
            governor=governor,
            **told,
        )
    ]


def _shortfalls(rows: Sequence[Row]) -> List[str]:
    if any(result.status == "crashed" for row in rows for result in row.results):
        return [_("Some cells crashed: RETRY=crashed measures them again")]
    return []
