"""Compares a runner's outputs with the reference's, before anything is timed."""

from typing import List

import numpy

from harness.backends._contract import Feed
from harness.errors import AccuracyError
from harness.records import OutputAccuracy


def compare(outputs: Feed, expected: Feed) -> List[OutputAccuracy]:
    """One row an output, in the reference's order.

    Relative RMS is sqrt(mean((a - r)^2)) / sqrt(mean(r^2)); cosine is a.r / (|a| |r|); both in float64. Raises
    AccuracyError for an output that is missing, has another shape, or holds NaN or Inf.
    """
    rows = []
    for name, reference in expected.items():
        if name not in outputs:
            raise AccuracyError(f"output {name} is missing; there are {', '.join(outputs)}")
        if outputs[name].shape != reference.shape:
            raise AccuracyError(f"output {name} has shape {outputs[name].shape}, the reference {reference.shape}")
        ours, right = outputs[name].astype(numpy.float64).ravel(), reference.astype(numpy.float64).ravel()
        wrong = int(ours.size - numpy.isfinite(ours).sum())
        if wrong:
            raise AccuracyError(f"output {name} holds NaN or Inf in {wrong} of {ours.size} values")
        rows.append(
            OutputAccuracy(
                output=name,
                max_abs=float(numpy.abs(ours - right).max()) if ours.size else 0.0,
                relative_rms=_ratio(float(numpy.linalg.norm(ours - right)), float(numpy.linalg.norm(right))),
                cosine=_cosine(ours, right),
            )
        )
    return rows


def check(rows: List[OutputAccuracy], tolerance: float) -> None:
    """Raises AccuracyError for the worst output beyond the tolerance (a relative RMS)."""
    worst = max(rows, key=lambda row: row.relative_rms)
    if not worst.relative_rms <= tolerance:
        raise AccuracyError(
            f"output {worst.output} differs from the reference by a relative RMS of {worst.relative_rms:.3g}, "
            f"allowed is {tolerance:.3g} (largest difference {worst.max_abs:.3g})"
        )


def _ratio(difference: float, size: float) -> float:
    """difference / size; an all-zero reference allows no difference at all."""
    if size == 0.0:
        return 0.0 if difference == 0.0 else 1e300
    return difference / size


def _cosine(ours: numpy.ndarray, right: numpy.ndarray) -> float:
    size = float(numpy.linalg.norm(ours)) * float(numpy.linalg.norm(right))
    if size == 0.0:
        return 1.0 if numpy.array_equal(ours, right) else 0.0
    return float(ours @ right) / size
