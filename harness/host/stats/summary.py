"""The figures of a latency table, from raw nanoseconds."""

from typing import NamedTuple, Sequence

import numpy


class Summary(NamedTuple):
    """All in nanoseconds but n. Percentiles interpolate linearly (Hyndman and Fan 1996, type 7: numpy's default)."""

    n: int
    mean_ns: float
    std_ns: float
    """Of the sample: divided by n - 1."""
    min_ns: float
    median_ns: float
    max_ns: float
    p95_ns: float
    p99_ns: float

    def fps(self, batch: int) -> float:
        """Images a second at this latency: batch over mean."""
        return batch * 1e9 / self.mean_ns if self.mean_ns else 0.0


def summarize(samples_ns: Sequence[int]) -> Summary:
    """At least one sample; the deviation of a single one is 0."""
    values = numpy.asarray(samples_ns, dtype=numpy.float64)
    median, p95, p99 = numpy.percentile(values, [50, 95, 99])
    return Summary(
        n=len(values),
        mean_ns=float(values.mean()),
        std_ns=float(values.std(ddof=1)) if len(values) > 1 else 0.0,
        min_ns=float(values.min()),
        median_ns=float(median),
        max_ns=float(values.max()),
        p95_ns=float(p95),
        p99_ns=float(p99),
    )


def median(samples_ns: Sequence[int]) -> float:
    return float(numpy.median(numpy.asarray(samples_ns, dtype=numpy.float64)))
