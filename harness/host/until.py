"""`UNTIL=1%`: from the pilot's results to the rounds that are added, and after them to whether they were enough.

Only this module knows how the limit is reckoned and what is said of it; `stats/further.py` knows the formula.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, List, Tuple

import msgspec
from msgspec import UNSET

from harness import upgrades
from harness.host import runs
from harness.host.plan import Until
from harness.host.progress import Progress, duration
from harness.host.runs import Budget, Run, RunData
from harness.host.stats.further import MOST_ROUNDS, SURE, Further, Pilot, further
from harness.host.stats.ratio import LEAST_ROUNDS, Ratio

if TYPE_CHECKING:
    from harness.host.report.compare import Comparison

STARTING_S = 0.5
"""Allowance for launching a worker, which its own time does not contain."""


def grow(folder: Path, run: Run, progress: Progress) -> Run:
    """Adds to the run, whose pilot has ended, the rounds that it takes; said first, then written, then measured.

    What was fixed once is never fixed again: a run that is gone on with has its budget in run.json.
    """
    until = run.plan.until
    if until is None or all(on.budget is not UNSET for on in run.on):
        return run
    on_boards = []
    for data in runs.load(folder):
        found = data.on.budget
        if found is UNSET:
            found, lines = _budget(data, until)
            for line in lines:
                progress.line(line if len(run.on) == 1 else f"{data.on.board}: {line}")
        on_boards.append(msgspec.structs.replace(data.on, budget=found))
    grown = msgspec.structs.replace(run, on=on_boards)
    upgrades.write(folder / "run.json", grown)
    return grown


def ended(folder: Path) -> List[str]:
    """Whether every interval is as narrow as was asked for, a sentence a board; empty where nothing was asked for."""
    said = []
    for data in runs.load(folder):
        until = data.run.plan.until
        if until is not None and data.on.budget is not UNSET:
            mark = f"{data.on.board}: " if len(data.run.on) > 1 else ""
            said.append(f"{mark}UNTIL={until.words()}: {_verdict(_ratios(data), until)}")
    return said


def _budget(data: RunData, until: Until) -> Tuple[Budget, List[str]]:
    pilots = [Pilot(one.deviation, one.rounds) for _, one in _ratios(data) if one.deviation is not None]
    pilot_s, rounds = _pilot_s(data), data.run.plan.rounds
    round_s = pilot_s / rounds
    most = max(0, int((until.limit_s - pilot_s) / round_s)) if round_s else MOST_ROUNDS
    found = further(pilots, until.half_width, most) if pilots else Further(0, 0, math.inf)
    budget = Budget(added_rounds=found.added, needed_rounds=found.needed, round_s=round(round_s, 3))
    asked = f"UNTIL={until.words()}"
    took = f"{asked}: the pilot's {rounds} rounds took {duration(pilot_s)}"
    if not pilots:
        why = f"no two rows have {LEAST_ROUNDS} rounds to compare"
        if any(one.low is not None for _, one in _ratios(data)):
            why = "what is compared are several builds, of which more are needed rather than rounds (BUILDS)"
        return budget, [f"{took}; nothing is added: {why}"]
    if found.needed is not None and found.added == found.needed:
        enough = f"{found.added} more, about {duration(found.added * round_s)}, narrow every interval as asked"
        return budget, [f"{took}; {enough} ({SURE:.0%} sure where rounds are normal and independent)"]
    return budget, [f"{took}; {_out_of_reach(found, until, pilot_s, round_s)}"]


def _out_of_reach(found: Further, until: Until, pilot_s: float, round_s: float) -> str:
    wanted = f"{until.half_width * 100:g} %"
    if found.needed is None:
        why = f"{wanted} is out of reach: more than {MOST_ROUNDS} rounds would not do; calm the machine"
    else:
        whole = pilot_s + found.needed * round_s
        why = (
            f"{wanted} is out of reach within {duration(until.limit_s)}: it takes {found.needed} more rounds, about "
            f"{duration(found.needed * round_s)}; UNTIL={until.half_width * 100:g}%,{math.ceil(whole / 60)}m would do"
        )
    if not found.added:
        return f"{why}; nothing is added"
    within = f"within reach is {_percent(found.reach)}, with {found.added} more"
    return f"{why}; {within}, about {duration(found.added * round_s)}"


def _verdict(ratios: "List[Tuple[str, Ratio]]", until: Until) -> str:
    widths = [(one.half_width, name) for name, one in ratios if one.half_width is not None]
    if not widths:
        return "there is no interval to narrow"
    width, name = max(widths)
    widest = f"the widest half-width is {_percent(width)} of the ratio: {name}"
    missing = len(ratios) - len(widths)
    more = f"; {missing} without an interval" if missing else ""
    if width <= until.half_width:
        return f"reached: {widest}{more}"
    return f"the budget ended first: {widest}{more}"


def _ratios(data: RunData) -> "List[Tuple[str, Ratio]]":
    """Every ratio that the report shows, by the names it gives them."""
    from harness.host.report.collect import rows
    from harness.host.report.compare import comparisons, thread_comparisons

    found = rows(data)
    pilot = runs.pilot(data.run, data.on)
    compared = [*comparisons(found, data.run.plan.baseline, pilot), *thread_comparisons(found, pilot)]
    return [(_named(one), one.ratio) for one in compared]


def _named(one: "Comparison") -> str:
    """`TVM untuned, 2 threads over ONNX Runtime, 2 threads, yolov5n 320, fp32`: threads may be all that tells sides."""
    from harness.host.report import wording

    sides = [
        f"{wording.short(side.experiment, side.variant)}, {wording.threads(side.experiment.inference.threads)}"
        for side in (one.row, one.baseline)
    ]
    return f"{' over '.join(sides)}, {wording.setting(one.row.experiment)}"


def _percent(share: float) -> str:
    from harness.host.report import wording

    return f"{wording.of_hundred(share)} %"


def _pilot_s(data: RunData) -> float:
    """Of the cells of the pilot's rounds."""
    inside = [one for one in data.results if one.round <= data.run.plan.rounds]
    return sum(one.elapsed_s + STARTING_S for one in inside)
