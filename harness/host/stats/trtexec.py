"""The figures that trtexec prints, by its own arithmetic: what its users compare with, and where it differs from ours.

Single precision throughout, as `getPerformanceResult` and `findPercentile` of samples/common/sampleReporting.cpp have
it, the same from TensorRT 8.2.1 to 11.1. Its percentile is a sample, never between two, and leans to the larger one: of
100 queries its 99th is the largest.
"""

from typing import Dict, NamedTuple, Sequence

import numpy

PERCENTILES = (90, 95, 99)


class TrtexecSummary(NamedTuple):
    """In the unit of the samples; what trtexec prints has six digits of it."""

    n: int
    min: float
    max: float
    mean: float
    median: float
    percentiles: Dict[int, float]
    cv_percent: float
    """Of the population: divided by n."""


def rank(n: int, percentile: float) -> int:
    """Rank from 0 of the ordered samples: max(n - 1 - int((1 - p / 100) * n), 0), each step in single precision."""
    one, hundred = numpy.float32(1), numpy.float32(100)
    excluded = int((one - numpy.float32(percentile) / hundred) * numpy.float32(n))
    return max(n - 1 - excluded, 0)


def percentile(samples: Sequence[float], wanted: float) -> float:
    """Of at least one sample."""
    return float(numpy.sort(numpy.asarray(samples, numpy.float32))[rank(len(samples), wanted)])


def summarize(samples: Sequence[float]) -> TrtexecSummary:
    """Of at least one sample. Sums are taken in ascending order, one after the other, as it takes them."""
    ordered = numpy.sort(numpy.asarray(samples, numpy.float32))
    n = len(ordered)
    count, middle = numpy.float32(n), n // 2
    mean = numpy.cumsum(ordered, dtype=numpy.float32)[-1] / count
    median = ordered[middle] if n % 2 else (ordered[middle - 1] + ordered[middle]) / numpy.float32(2)
    difference = ordered - mean
    variance = numpy.cumsum(difference * difference, dtype=numpy.float32)[-1] / count
    return TrtexecSummary(
        n=n,
        min=float(ordered[0]),
        max=float(ordered[-1]),
        mean=float(mean),
        median=float(median),
        percentiles={one: float(ordered[rank(n, one)]) for one in PERCENTILES},
        cv_percent=float(numpy.sqrt(variance) / mean * numpy.float32(100)) if mean else float("inf"),
    )
