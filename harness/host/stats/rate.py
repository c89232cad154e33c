"""Inferences per second of one experiment, from the rate of each round: the round is the unit, as with ratios.

A rate is a ratio of a count and a time, so its logs are averaged: Student's t on the logs of the rounds' rates,
back-transformed.
"""

import math
from typing import NamedTuple, Optional, Sequence

import numpy

from harness.host.stats.ratio import half_width


class Rate(NamedTuple):
    """All per second, over the rounds."""

    median: float
    min: float
    max: float
    low: Optional[float]
    high: Optional[float]
    """The 95 % interval of the geometric mean; None with fewer than 3 rounds."""


def rate(per_second: Sequence[float], confidence: float = 0.95) -> Rate:
    """From the rate of each round; at least one."""
    logs = numpy.log(numpy.asarray(per_second, float))
    half, mean = half_width(logs, confidence), float(logs.mean())
    return Rate(
        median=float(numpy.median(numpy.asarray(per_second, float))),
        min=min(per_second),
        max=max(per_second),
        low=math.exp(mean - half) if half is not None else None,
        high=math.exp(mean + half) if half is not None else None,
    )
