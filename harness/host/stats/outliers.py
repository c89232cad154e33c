"""Samples that do not belong with the rest: they are counted and named, and stay in every figure.

Modified Z: 0.6745 * (x - median) / MAD, where MAD is the median of the absolute deviations from the median; beyond 3.5
a sample is called an outlier. Median and MAD do not move with what they are to find, mean and deviation do.
Source: Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993), pp. 11-13.
"""

import numpy

BEYOND = 3.5
TO_DEVIATION = 0.6745
"""MAD over deviation of a normal distribution."""
MEAN_TO_DEVIATION = 1.253314
"""Deviation over mean absolute deviation of a normal distribution: sqrt(pi / 2)."""


def modified_z(values: "numpy.ndarray") -> "numpy.ndarray":
    """Of each value among those along its last axis.

    Where more than half of the values are equal MAD is 0, and the mean absolute deviation takes its place; where all
    are equal, every score is 0.
    """
    away = values - numpy.median(values, axis=-1, keepdims=True)
    scale = numpy.median(numpy.abs(away), axis=-1, keepdims=True) / TO_DEVIATION
    scale = numpy.where(scale > 0, scale, numpy.abs(away).mean(axis=-1, keepdims=True) * MEAN_TO_DEVIATION)
    found: numpy.ndarray = numpy.divide(away, scale, out=numpy.zeros_like(away, float), where=scale > 0)
    return found


def outliers(values: "numpy.ndarray") -> "numpy.ndarray":
    """True where a value is one."""
    found: numpy.ndarray = numpy.abs(modified_z(values)) > BEYOND
    return found
