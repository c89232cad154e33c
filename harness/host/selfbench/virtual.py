"""Virtual engines: times of iterations whose true ratio is known, for intervals that must cover it.

Each model makes what a run would have measured of two engines, the second of which takes 4 % longer in every other
respect alike. Cells of a round follow each other in random order, as a bench would have them.
"""

import math
from typing import Callable, Dict, NamedTuple

import numpy
from scipy import signal

RATIO = 1.04
BASE_NS = 5e6
ITERATIONS = 100
CELL = 0.01
"""Deviation between processes that do the same, in logs; every model has it."""


class Measured(NamedTuple):
    times_ns: "numpy.ndarray"
    """[runs, 2 engines, rounds, iterations]; the baseline first."""
    truth: "numpy.ndarray"
    """[rounds]: the true difference of logs in each round."""
    disturbed: "numpy.ndarray"
    """[runs]: whether that run met what makes the model special."""


Random = numpy.random.Generator
Model = Callable[[Random, int, int], Measured]
"""From how many runs of how many rounds."""


def log_normal(random: Random, runs: int, rounds: int) -> Measured:
    """Rounds differ by 10 %, iterations by 5 %, all independent."""
    minutes = _normal(random, 0.1, runs, 1, rounds, 1)
    return _measured(minutes + _normal(random, 0.05, runs, 2, rounds, ITERATIONS), random)


def bimodal(random: Random, runs: int, rounds: int) -> Measured:
    """Up to 40 of 100 iterations take 1.3 times as long, and every fifth process has drawn a layout that costs 3 %."""
    share = random.uniform(0, 0.4, (runs, 2, rounds, 1)).astype(numpy.float32)
    slow = random.random((runs, 2, rounds, ITERATIONS), numpy.float32) < share
    layout = numpy.float32(0.03) * (random.random((runs, 2, rounds, 1)) < 0.2)
    logs = numpy.float32(math.log(1.3)) * slow + layout + _normal(random, 0.02, runs, 2, rounds, ITERATIONS)
    return _measured(logs, random)


def autocorrelated(random: Random, runs: int, rounds: int) -> Measured:
    """Iterations remember 0.95 of the one before, the machine 0.9 of its pace from one cell to the next."""
    iterations = _remembering(random, 0.95, 0.05, runs, 2, rounds, ITERATIONS)
    pace = _remembering(random, 0.9, 0.05, runs, 2 * rounds)
    return _measured(iterations + _of_cells(pace, random, rounds), random)


def drifting(random: Random, runs: int, rounds: int) -> Measured:
    """The machine gets slower by 1 % from each cell to the next and by 3 % within each."""
    pace = numpy.broadcast_to(numpy.float32(0.01) * numpy.arange(2 * rounds, dtype=numpy.float32), (runs, 2 * rounds))
    within = numpy.linspace(0, 0.03, ITERATIONS, dtype=numpy.float32)
    logs = _of_cells(pace, random, rounds) + within + _normal(random, 0.05, runs, 2, rounds, ITERATIONS)
    return _measured(logs, random)


def throttled(random: Random, runs: int, rounds: int) -> Measured:
    """Now and then, wherever in a cell, the clock falls to 1 / 1.6 for a while: 150 iterations of 750 on average."""
    steps = 2 * rounds * ITERATIONS
    low = numpy.empty((runs, steps), bool)
    now = random.random(runs) < 0.2
    for step in range(steps):
        now = numpy.where(random.random(runs, numpy.float32) < numpy.where(now, 1 / 150, 1 / 600), ~now, now)
        low[:, step] = now
    cells = low.reshape(runs, 2 * rounds, ITERATIONS)
    logs = numpy.float32(math.log(1.6)) * numpy.take_along_axis(cells, _order(random, runs, rounds), 1)
    logs = logs.reshape(runs, rounds, 2, ITERATIONS).swapaxes(1, 2)
    found = _measured(logs + _normal(random, 0.05, runs, 2, rounds, ITERATIONS), random)
    return found._replace(disturbed=low.any(axis=1) & ~low.all(axis=1))


def growing_apart(random: Random, runs: int, rounds: int) -> Measured:
    """Heat slows the second engine alone, by 5 % more in every round: there is no one ratio, its mean is the truth."""
    found = log_normal(random, runs, rounds)
    apart = 0.05 * numpy.arange(rounds)
    found.times_ns[:, 1] *= numpy.exp(apart)[:, None].astype(numpy.float32)
    return found._replace(truth=found.truth + apart)


def remembering(random: Random, runs: int, rounds: int) -> Measured:
    """The second engine alone remembers 0.8 of what befell it in the round before."""
    found = log_normal(random, runs, rounds)
    found.times_ns[:, 1] *= numpy.exp(_remembering(random, 0.8, 0.03, runs, rounds))[:, :, None]
    return found


MODELS: Dict[str, Model] = {
    "log-normal": log_normal,
    "bimodal": bimodal,
    "autocorrelated": autocorrelated,
    "drifting": drifting,
    "throttled": throttled,
    "growing apart": growing_apart,
    "remembering": remembering,
}


def _measured(logs: "numpy.ndarray", random: Random) -> Measured:
    runs, engines, rounds, _ = logs.shape
    logs = logs + _normal(random, CELL, runs, engines, rounds, 1)
    times_ns = numpy.float32(BASE_NS) * numpy.exp(logs)
    times_ns[:, 1] *= numpy.float32(RATIO)
    return Measured(times_ns, numpy.full(rounds, math.log(RATIO)), numpy.ones(runs, bool))


def _normal(random: Random, deviation: float, *shape: int) -> "numpy.ndarray":
    return numpy.float32(deviation) * random.standard_normal(shape, numpy.float32)


def _remembering(random: Random, memory: float, deviation: float, *shape: int) -> "numpy.ndarray":
    """Normal, each value `memory` times the one before it along the last axis and something new; from its stationary
    distribution on."""
    new = _normal(random, deviation * math.sqrt(1 - memory**2), *shape)
    new[..., 0] /= numpy.float32(math.sqrt(1 - memory**2))
    found: numpy.ndarray = signal.lfilter([1.0], [1.0, -memory], new, axis=-1).astype(numpy.float32)
    return found


def _order(random: Random, runs: int, rounds: int) -> "numpy.ndarray":
    """[runs, 2 * rounds, 1]: the place in time of the baseline's and the second engine's cell of each round."""
    first = random.integers(0, 2, (runs, rounds))
    return numpy.stack([2 * numpy.arange(rounds) + first, 2 * numpy.arange(rounds) + 1 - first], -1).reshape(
        runs, -1, 1
    )


def _of_cells(pace: "numpy.ndarray", random: Random, rounds: int) -> "numpy.ndarray":
    """[runs, 2, rounds, 1] from a value for each cell in the order of time."""
    placed = numpy.take_along_axis(pace, _order(random, len(pace), rounds)[..., 0], 1)
    return placed.reshape(len(pace), rounds, 2, 1).swapaxes(1, 2)
