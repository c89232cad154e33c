"""How things are called and figures are spelled in a report."""

import math
from typing import Optional

from harness.records import Experiment

BACKENDS = {"tensorrt": "TensorRT", "tvm": "TVM", "onnxruntime": "ONNX Runtime"}


def backend(name: str) -> str:
    """The name its makers use; a backend without one is shown as it is."""
    return BACKENDS.get(name, name)


def short(experiment: Experiment, variant: str) -> str:
    """`TVM untuned`: backend and the first part of its variant."""
    first = variant.split(",", maxsplit=1)[0].strip()
    return f"{backend(experiment.build.backend)} {first}".strip()


def long(experiment: Experiment, variant: str) -> str:
    """`TVM untuned, znver3`: backend and all of its variant."""
    return f"{backend(experiment.build.backend)} {variant}".strip()


def model(reference: str) -> str:
    return reference.replace("@", " ")


def threads(count: int) -> str:
    return f"{count} thread" if count == 1 else f"{count} threads"


def setting(experiment: Experiment) -> str:
    """What a comparison must have in common: `yolov5n 320, fp32`, and the batch where it is not 1."""
    build = experiment.build
    batch = f", batch {build.batch}" if build.batch > 1 else ""
    return f"{model(build.model)}, {build.precision}{batch}"


def figure(value: float, digits: int = 3) -> str:
    """`value` with so many significant digits, zeros at the end included, but every digit of an integer part."""
    if value == 0:
        return "0"
    if abs(value) >= 10**digits:
        return f"{value:.0f}"
    rounded = float(f"{value:.{digits - 1}e}")
    return f"{rounded:.{max(0, digits - 1 - math.floor(math.log10(abs(rounded))))}f}"


def milliseconds(nanoseconds: Optional[float]) -> str:
    """Four digits for what is a millisecond and more, down to the nanosecond below."""
    if nanoseconds is None:
        return "none"
    value = nanoseconds / 1e6
    if value >= 1000:
        return f"{value:.0f}"
    if value >= 100:
        return f"{value:.1f}"
    if value >= 10:
        return f"{value:.2f}"
    return f"{value:.3f}" if value >= 1 else f"{value:.4f}" if value >= 0.01 else f"{value:.6f}"


def times(value: float) -> str:
    """A ratio: three significant digits, two decimals around 1."""
    return f"{value:.3f}" if 0.9 <= value <= 1.1 else figure(value)


def megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size} bytes"
