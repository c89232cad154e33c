"""Tries drawn from the rounds that `twins` really measured.

How often is the same called different, and is a planted slow-down found within the rounds that UNTIL=1% announces?

Rounds are drawn in stretches of neighbours, as a run would have met them, and each round's two sides change places at
random: they are one engine, so either could have borne either name.
"""

import math
from typing import Dict, List

import numpy
from scipy import stats

from harness.errors import LaunchError
from harness.host.plan import PILOT_ROUNDS
from harness.host.selfbench import twins
from harness.host.selfbench.figure import Figure
from harness.host.selfbench.ground import Place
from harness.host.selfbench.simulated import WIDTH
from harness.host.selfbench.virtual import Random
from harness.host.stats.further import MOST_ROUNDS, SURE, additions
from harness.host.stats.ratio import spread

LEAST_REAL = 50
TRIES, WANTED, WITHIN = 10_000, 0.05, 0.01
LENGTHS = (5, 10, 20)
"""Of the runs, in rounds: the default, and where more rounds bring it. Over few rounds of long tails Student's t calls
things different less often than it says, never more often (Benjamini, Journal of the American Statistical Association
78 (1983)): a share below the bar at 5 rounds errs to the safe side, and is still said.
"""
POWER_TRIES, PLANTED, POWER = 2000, 1.02, 0.9
SEED = 20261126


def resampled(place: Place) -> List[Figure]:
    """10,000 runs of each length of one engine under two names."""
    real = rounds(place)
    tails = float(stats.kurtosis(real))
    found = []
    for length in LENGTHS:
        share = different(numpy.random.default_rng(SEED), real, TRIES, length)
        told = {"different": share, "deviation": float(real.std()), "excess_kurtosis": tails}
        found.append(
            Figure(
                part="resampled",
                what=f"the same called different, {TRIES} tries of {length} rounds out of {len(real)} real ones",
                value=share,
                unit="share",
                bar=f"{WANTED:.0%} +- {WITHIN * 100:g} points; deviation {real.std():.1%}, excess kurtosis {tails:.1f}",
                reached=abs(share - WANTED) <= WITHIN,
                attempts=[{name: round(one, 5) for name, one in told.items()}],
            )
        )
    return found


def power(place: Place) -> Figure:
    """2,000 runs with UNTIL=1% of an engine that takes 2 % longer, with the spread of real rounds."""
    real = rounds(place)
    attempt = planted(numpy.random.default_rng([SEED, 1]), real, POWER_TRIES)
    return Figure(
        part="power",
        what=f"a slow-down of {PLANTED - 1:.0%} found within the rounds that UNTIL={WIDTH:.0%} announces, "
        f"{POWER_TRIES} tries with the spread of {len(real)} real rounds",
        value=attempt["found"],
        unit="share",
        bar=f">= {POWER:.0%}; intervals as narrow as announced {attempt['narrow']:.1%}, median of "
        f"{attempt['median_rounds']:.0f} rounds in all, {attempt['out_of_reach']:.1%} announced as out of reach",
        reached=attempt["found"] >= POWER,
        attempts=[{name: round(one, 4) for name, one in attempt.items()}],
    )


def different(random: Random, real: "numpy.ndarray", tries: int, length: int) -> float:
    """The share of runs of so many rounds whose interval leaves out that the two are the same."""
    drawn = stretches(random, real, tries, length)
    return float((numpy.abs(drawn.mean(axis=1)) > spread(drawn).half_width).mean())


def planted(random: Random, real: "numpy.ndarray", tries: int) -> Dict[str, float]:
    """What came of so many runs: shares of them, and rounds."""
    whole = stretches(random, real, tries, PILOT_ROUNDS + MOST_ROUNDS) + math.log(PLANTED)
    wanted = additions(whole[:, :PILOT_ROUNDS].std(axis=1, ddof=1), PILOT_ROUNDS, WIDTH)
    added = numpy.where(wanted > 0, wanted, MOST_ROUNDS)
    found = narrow = covered = 0
    for more in numpy.unique(added):
        between = whole[added == more][:, : PILOT_ROUNDS + int(more)]
        middle, half = between.mean(axis=1), spread(between, pilot=PILOT_ROUNDS).half_width
        found += int((middle - half > 0).sum())
        narrow += int((numpy.sinh(half) <= WIDTH).sum())
        covered += int((numpy.abs(middle - math.log(PLANTED)) <= half).sum())
    return {
        "found": found / tries,
        "narrow": narrow / tries,
        "announced_narrow": SURE,
        "coverage": covered / tries,
        "out_of_reach": float((wanted == 0).mean()),
        "median_rounds": float(numpy.median(added)) + PILOT_ROUNDS,
        "most_rounds": float(added.max()) + PILOT_ROUNDS,
    }


def stretches(random: Random, real: "numpy.ndarray", tries: int, length: int) -> "numpy.ndarray":
    """[tries, length] of neighbouring rounds, the last followed by the first again, with signs at random.

    Source: Politis and Romano, A circular block-resampling procedure (1992).
    """
    start = random.integers(0, len(real), (tries, 1))
    signs = random.integers(0, 2, (tries, length)) * 2 - 1
    found: numpy.ndarray = real[(start + numpy.arange(length)) % len(real)] * signs
    return found


def rounds(place: Place) -> "numpy.ndarray":
    """The differences of log medians of every real round of one engine under two names, in the order of time."""
    values: List[float] = []
    for data in twins.ended(twins.ready(place)):
        one = twins.compared(data)
        values += [math.log(each) for each in one.per_round] if one is not None else []
    if len(values) < LEAST_REAL:
        what = f"{len(values)} real rounds of one engine under two names are there, {LEAST_REAL} are needed"
        raise LaunchError(f"selfbench: {what}; make selfbench ONLY=twins measures them")
    return numpy.array(values)
