"""Whether 95 % intervals hold the true ratio in 95 of 100 runs, on virtual engines whose truth is known."""

from typing import List

import numpy

from harness.host.selfbench import simulated
from harness.host.selfbench.figure import Figure
from harness.host.selfbench.ground import Place
from harness.host.selfbench.simulated import Outcome, differences
from harness.host.selfbench.virtual import MODELS, Measured, Model
from harness.host.stats.steadiness import of_cell, of_rounds

RUNS, ROUNDS, MOST = 2000, 5, 100
LOOKED_INTO = 200
"""Runs whose every cell is looked into for flags, where an interval is wider than it says."""
WANTED, WITHIN = 0.95, 0.015
LEAST_FLAGGED = 0.8
SEED = 20261125


def coverage(place: Place) -> List[Figure]:
    """Every model with 5 rounds and with UNTIL=1%."""
    found = []
    for number, (name, model) in enumerate(MODELS.items()):
        with place.progress.step(f"selfbench coverage, {name}"):
            random = numpy.random.default_rng([SEED, number])
            five = simulated.planned(model, random, RUNS, ROUNDS)
            found.append(figure(f"{name}, {ROUNDS} rounds", five, model, ROUNDS))
            narrowed = simulated.until(model, random, RUNS, MOST)
            found.append(figure(f"{name}, UNTIL=1%", narrowed, model, int(numpy.median(narrowed.rounds))))
    return found


def figure(what: str, outcome: Outcome, model: Model, rounds: int) -> Figure:
    """Inside the bar; where the model breaks what the interval assumes, the report's own flags must say so instead."""
    value = float(outcome.covered.mean())
    attempt = {
        "coverage": value,
        "flagged": float(outcome.flagged.mean()),
        "misled": float((~outcome.covered & ~outcome.flagged & ~outcome.few).mean()),
        "rounds": float(outcome.rounds.mean()),
        "narrow": float(outcome.narrow.mean()),
    }
    bar, reached = f"{WANTED:.0%} +- {WITHIN * 100:g} points", abs(value - WANTED) <= WITHIN
    if value > WANTED + WITHIN:
        random = numpy.random.default_rng(SEED)
        attempt["flagged"] = share = flagged(model(random, LOOKED_INTO, rounds))
        bar += f", or wider and flagged in at least {LEAST_FLAGGED:.0%} of the runs it befell; {share:.1%} are"
        reached = share >= LEAST_FLAGGED
    elif value < WANTED - WITHIN:
        limit = 1 - WANTED + WITHIN
        bar += f", or wrong without a word in at most {limit:.1%} of runs; {attempt['misled']:.1%} are"
        reached = attempt["misled"] <= limit
        if outcome.few.all():
            bar += f" (of {rounds} rounds the report says that nobody can see whether they depend on each other)"
    return Figure(
        part="coverage",
        what=f"coverage of the 95 % interval, {RUNS} virtual runs: {what}",
        value=value,
        unit="share",
        bar=bar,
        reached=reached,
        attempts=[{name: round(one, 4) for name, one in attempt.items()}],
    )


def flagged(measured: Measured) -> float:
    """Of the runs that were disturbed, the share with a flag: on the comparison, or on a cell that is not steady."""
    found = of_rounds(differences(measured)).any
    for number, run in enumerate(measured.times_ns):
        if not found[number]:
            cells = (of_cell(cell) for engine in run for cell in engine)
            found[number] = any(cell.drifts or cell.changes for cell in cells)
    return float(found[measured.disturbed].mean())
