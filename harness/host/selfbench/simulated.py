"""What virtual runs made of an interval and its flags, by the functions that a report uses."""

from typing import List, NamedTuple

import numpy

from harness.host.plan import PILOT_ROUNDS
from harness.host.selfbench.virtual import Measured, Model, Random
from harness.host.stats.further import additions
from harness.host.stats.ratio import spread
from harness.host.stats.steadiness import of_rounds

CHUNK = 250
"""Virtual runs at once: what fits into memory."""
WIDTH = 0.01


class Outcome(NamedTuple):
    """An entry for each virtual run."""

    covered: "numpy.ndarray"
    """Whether the 95 % interval holds the true ratio."""
    flagged: "numpy.ndarray"
    """Whether the comparison carries a flag."""
    few: "numpy.ndarray"
    """Whether it says that so few rounds cannot show whether they depend on each other."""
    rounds: "numpy.ndarray"
    narrow: "numpy.ndarray"
    """Whether the half-width is at most 1 % of the ratio."""


def planned(model: Model, random: Random, runs: int, rounds: int) -> Outcome:
    """Runs whose number of rounds the plan says."""
    return _joined([_judged(model(random, count, rounds), 0) for count in _chunks(runs)])


def until(model: Model, random: Random, runs: int, most: int) -> Outcome:
    """Runs with UNTIL=1%, whose limit of time allows `most` rounds after the pilot."""
    found = []
    for count in _chunks(runs):
        measured = model(random, count, PILOT_ROUNDS + most)
        pilot = differences(measured)[:, :PILOT_ROUNDS].std(axis=1, ddof=1)
        added = additions(pilot, PILOT_ROUNDS, WIDTH)
        added = numpy.where((added == 0) | (added > most), most, added)
        for more in numpy.unique(added):
            rounds = PILOT_ROUNDS + int(more)
            times_ns, truth = measured.times_ns[added == more][:, :, :rounds], measured.truth[:rounds]
            found.append(_judged(measured._replace(times_ns=times_ns, truth=truth), PILOT_ROUNDS))
    return _joined(found)


def differences(measured: Measured) -> "numpy.ndarray":
    """[runs, rounds]: log median of the second engine less that of the baseline."""
    logs = numpy.log(numpy.median(measured.times_ns, axis=-1).astype(float))
    found: numpy.ndarray = logs[:, 1] - logs[:, 0]
    return found


def _judged(measured: Measured, pilot: int) -> Outcome:
    between = differences(measured)
    half = spread(between, pilot=pilot).half_width
    flags = of_rounds(between)
    return Outcome(
        covered=numpy.abs(between.mean(axis=1) - measured.truth.mean()) <= half,
        flagged=flags.any,
        few=numpy.full(len(half), flags.few),
        rounds=numpy.full(len(half), between.shape[1]),
        narrow=numpy.sinh(half) <= WIDTH,
    )


def _chunks(runs: int) -> List[int]:
    return [min(CHUNK, runs - start) for start in range(0, runs, CHUNK)]


def _joined(parts: List[Outcome]) -> Outcome:
    return Outcome(*(numpy.concatenate(column) for column in zip(*parts)))
