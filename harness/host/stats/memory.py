"""How much samples remember of those before them, and how many independent ones they are worth."""

import numpy

LEAST_SAMPLES = 8
"""Below this nothing can be said of it."""


def autocorrelation(values: "numpy.ndarray") -> "numpy.ndarray":
    """At every lag from 0, by the usual (biased) estimate, which divides by n at each lag; 0 where nothing varies.

    By the fast Fourier transform of the zero-padded series (Wiener and Khinchin). Source: Box, Jenkins and Reinsel,
    Time Series Analysis, 4th ed., 2.1.
    """
    away = numpy.asarray(values, float) - numpy.mean(values)
    size = 1 << (2 * len(away) - 1).bit_length()
    power = numpy.abs(numpy.fft.rfft(away, size)) ** 2
    found: numpy.ndarray = numpy.fft.irfft(power, size)[: len(away)]
    return found / found[0] if found[0] > 0 else numpy.zeros(len(away))


def inefficiency(values: "numpy.ndarray") -> float:
    """By how much the variance of their mean exceeds that of as many independent values: 1 + 2 * sum of rho(k).

    The sum ends where that of two neighbouring lags is not positive any more (the initial positive sequence of Geyer,
    Statistical Science 7 (1992)): the rest is noise. Never below 1: nobody is to gain from samples that alternate.
    """
    rho = autocorrelation(values)
    if len(rho) < LEAST_SAMPLES or rho[0] == 0:
        return 1.0
    even = len(rho) // 2 * 2
    pairs = rho[0:even:2] + rho[1:even:2]
    ends = numpy.flatnonzero(pairs <= 0)
    return float(max(1.0, 2 * pairs[: ends[0] if len(ends) else len(pairs)].sum() - 1))


def effective_size(values: "numpy.ndarray") -> float:
    """How many independent values would say as much of the mean; never more than there are."""
    return len(values) / inefficiency(values)


def alike_to_next(values: "numpy.ndarray") -> "numpy.ndarray":
    """Young's C along the last axis, over its deviation: above 1.96, neighbours are too alike for independence (2.5 %).

    C = 1 - sum((x[i] - x[i + 1])^2) / (2 * sum((x - mean)^2)); of independent normal values its mean is 0, its variance
    (n - 2) / (n^2 - 1), and it is close to normal from n = 8. Source: Young, Annals of Mathematical Statistics 12
    (1941).
    """
    n = values.shape[-1]
    steps = (numpy.diff(values, axis=-1) ** 2).sum(axis=-1)
    whole = ((values - values.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    c = 1 - numpy.divide(steps, 2 * whole, out=numpy.full(steps.shape, 1.0), where=whole > 0)
    found: numpy.ndarray = c / numpy.sqrt((n - 2) / (n**2 - 1))
    return found
