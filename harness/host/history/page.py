"""The history as Markdown, as what a terminal shows of it, and as JSON."""

import math
from itertools import groupby
from typing import Any, Dict, List

from harness.host.history import tables
from harness.host.history.judge import FEW, FIRST, MISSING, WRONG, History, Judged, newest, regressions
from harness.host.history.series import RECENT
from harness.host.report.table import Footnotes, markdown

PAGE, PLOT = "history.md", "history.svg"
SHOWN = 12
"""Runs of each series in a terminal."""
MOST_ROWS = 1000
"""Runs of each series on the page: what is longer no browser shows as a table."""

HOW = f"""\
* A run is held against the last {RECENT} earlier ones of the same experiment under the same conditions: hardware,
  kernel, L4T, power mode, clocks and their caps, governor, GPU driver, what held the hardware back in most rounds,
  the model's bytes, warm-ups, iterations and budgets. Rounds that are INVALID are not judged.
* A line `{tables.BORDER}` stands where one of these changed: figures above and below it are never compared.
* Everything else that changed (runtime, engine, harness, a reboot) is said, and compared across: it is what a history
  is there to judge.
* `new / earlier` is the ratio of the geometric means of the rounds' medians (of rates, for throughput, as times). Its
  interval is the wider of Welch's over the rounds and, from three earlier runs on, of what one more run would show if
  nothing had changed (prediction interval over the means of runs).
* *slower* and *faster* lie beyond interval and threshold. Where nothing changed, one run in forty is wrongly called
  slower at a threshold of 0, fewer above."""


def sentences(history: History, threshold: float) -> List[str]:
    """What a reader wants to know first."""
    last = {series: newest(points) for series, points in history.series.items()}
    judged = [one for one in last.values() if one is not None and one.change is not None and one.change.low is not None]
    slower = regressions(history)
    many = (
        f"{len(slower)} of {len(judged)} experiments are slower in their newest run, beyond interval and {threshold:g}"
    )
    said = [many if judged else "nothing can be judged: no experiment has an earlier run under the same conditions"]
    said += [tables.sentence(series, one) for series, one in slower.items()]
    for series, points in history.series.items():
        if points[-1].verdict == MISSING:
            said.append(f"{tables.name(series, points)}: the newest run did not measure it: {points[-1].point.notes}")
        elif points[-1].verdict == FIRST and points[-1].point.border:
            changed = "; ".join(points[-1].point.border)
            said.append(f"{tables.name(series, points)}: the newest run is compared with none: {changed}")
        elif points[-1].verdict in (FIRST, FEW, WRONG):
            said.append(f"{tables.name(series, points)}: {points[-1].verdict}")
    return said


def page(history: History, threshold: float, pictured: int) -> str:
    """All of it; `pictured` is how many experiments the plot shows."""
    notes = Footnotes()
    lines = ["# History", "", *(f"* {text}" for text in sentences(history, threshold)), "", f"![Times by run]({PLOT})"]
    if pictured < len(history.series):
        lines += ["", f"The plot shows {pictured} of {len(history.series)} experiments; MODEL, BACKENDS, ... choose."]
    for _, each in groupby(history.series.items(), key=lambda one: one[0].setting):
        for number, (series, points) in enumerate(each):
            lines += ["", f"## {series.place}", ""] if not number else [""]
            lines += [f"### {tables.called(series, points[-1].point)}", ""]
            if len(points) > MOST_ROWS:
                lines += [f"The newest {MOST_ROWS} of {len(points)} runs; the plot and `--json` have all.", ""]
            lines.append(markdown(tables.of_series(series, points[-MOST_ROWS:], notes)))
    lines += ["", *notes.lines()]
    if history.damage:
        lines += ["", "## Left out", "", "These files cannot be read:", "", *(f"* {text}" for text in history.damage)]
    return "\n".join([*lines, "", "## How to read it", "", HOW, ""])


def terminal(history: History) -> str:
    """The newest runs of every series."""
    notes, lines = Footnotes(), []
    for series, points in history.series.items():
        shown = points[-SHOWN:]
        lines.append(tables.name(series, points))
        if len(shown) < len(points):
            lines[-1] += f" (the newest {len(shown)} of {len(points)} runs)"
        lines += [markdown(tables.of_series(series, shown, notes)), ""]
    return "\n".join([*lines, *notes.lines()])


def plain(history: History, threshold: float) -> Dict[str, Any]:
    """For programs."""
    return {
        "threshold": threshold,
        "slower": len(regressions(history)),
        "damage": history.damage,
        "series": [
            {**series._asdict(), "runs": [_plain(one) for one in points]} for series, points in history.series.items()
        ],
    }


def _plain(one: Judged) -> Dict[str, Any]:
    point, found = one.point, one.change
    names = ("run", "created_utc", "variant", "rounds", "rounds_planned", "samples")
    figures = ("mean_ns", "median_ns", "p95_ns", "p99_ns", "notes")
    return {
        **{name: getattr(point, name) for name in names},
        "time_ns": None if point.log_mean is None else math.exp(point.log_mean),
        **{name: getattr(point, name) for name in figures},
        "conditions_changed": point.border,
        "changed": point.said,
        "earlier_runs": point.earlier_runs if found is not None else 0,
        "ratio": None if found is None else found.value,
        "low": None if found is None else found.low,
        "high": None if found is None else found.high,
        "verdict": one.verdict,
    }
