"""How things are called and figures are spelled in a report."""

import functools
import math
from typing import Dict, Iterable, List, Optional

from msgspec import UNSET

from harness.host.report import recorded
from harness.host.report.language import _, ngettext
from harness.records import Experiment

BACKENDS = {"tensorrt": "TensorRT", "tensorrt_rtx": "TensorRT-RTX", "tvm": "TVM", "onnxruntime": "ONNX Runtime"}


def backend(name: str) -> str:
    """The name its makers use; a backend without one is shown as it is."""
    return BACKENDS.get(name, name)


def short(experiment: Experiment, variant: str) -> str:
    """`TVM untuned`, `TensorRT (CUDA graph)`: backend, the first part of its variant, and what it was told to do."""
    first = variant.split(",", maxsplit=1)[0].strip()
    return _named(experiment, first, [])


def long(experiment: Experiment, variant: str) -> str:
    """`TVM untuned, znver3`: backend and all of its variant; of several builds, which."""
    number = experiment.build.build_number
    return _named(experiment, _all_of(variant), [] if number is UNSET else [_("build %(number)s", number=number)])


def of_builds(experiment: Experiment, variant: str, builds: int) -> str:
    """As `long`, of all builds together."""
    return _named(experiment, _all_of(variant), [builds_counted(builds)] if builds > 1 else [])


def _all_of(variant: str) -> str:
    """Its parts are recorded sentences: `tuned, znver3, 512 trials in 10 min, seed 1`; the first is a name."""
    return ", ".join(recorded.said(part) for part in variant.split(", "))


def _named(experiment: Experiment, variant: str, more: List[str]) -> str:
    words = [f"{name} {value}" for name, value in (experiment.build.options or {}).items()]
    words += ["CUDA graph"] if experiment.inference.cuda_graph is True else []
    told = f" ({', '.join([*words, *more])})" if words or more else ""
    return f"{f'{backend(experiment.build.backend)} {variant}'.strip()}{told}"


def model(reference: str) -> str:
    return reference.replace("@", " ")


def threads(count: int) -> str:
    return ngettext("%(count)s thread", "%(count)s threads", count, count=count)


def rounds(count: int) -> str:
    return ngettext("%(count)s round", "%(count)s rounds", count, count=count)


def builds_counted(count: int) -> str:
    return ngettext("%(count)s build", "%(count)s builds", count, count=count)


def span(low: str, high: str) -> str:
    """`22.6 to 22.7`: an interval, in figures as they are printed."""
    return _("%(low)s to %(high)s", low=low, high=high)


def both(names: Iterable[str]) -> str:
    """`A`, `A and B`, `A and B and C`; each once."""
    return functools.reduce(lambda one, other: _("%(one)s and %(other)s", one=one, other=other), dict.fromkeys(names))


def setting(experiment: Experiment) -> str:
    """What a comparison must have in common: `yolov5n 320, fp32`, and the rest where it is not the usual."""
    build, inference = experiment.build, experiment.inference
    words = [model(build.model), build.precision]
    words += [_("batch %(size)s", size=build.batch)] if build.batch > 1 else []
    words += [_("%(kind)s memory", kind=inference.io_memory)] if inference.io_memory != "host" else []
    words += [inference.issue_mode] if inference.issue_mode != "latency" else []
    return ", ".join(words)


def figure(value: float, digits: int = 3) -> str:
    """`value` with so many significant digits, zeros at the end included, but every digit of an integer part."""
    if value == 0:
        return "0"
    if abs(value) >= 10**digits:
        return f"{value:.0f}"
    rounded = float(f"{value:.{digits - 1}e}")
    return f"{rounded:.{max(0, digits - 1 - math.floor(math.log10(abs(rounded))))}f}"


def of_hundred(share: float, sign: str = "") -> str:
    """A share in percent, without its sign: two significant digits, and every digit of an integer part.

    `sign` is a format's: `+` writes it in any case.
    """
    value = share * 100
    return f"{value:{sign}.0f}" if abs(value) >= 99.5 else f"{value:{sign}.2g}"


def milliseconds(nanoseconds: Optional[float]) -> str:
    """Four digits for what is a millisecond and more, down to the nanosecond below."""
    if nanoseconds is None:
        return _("none")
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


def percent(figure: str) -> str:
    """`0.74 %`, of a figure as it is printed."""
    return _("%(figure)s %%", figure=figure)


def duration(seconds: float) -> str:
    """`42 s`, `3:05 min`, `2:10 h`."""
    whole = round(seconds)
    if whole < 60:
        return _("%(seconds)s s", seconds=whole)
    if whole < 3600:
        return _("%(minutes)s:%(seconds)s min", minutes=whole // 60, seconds=f"{whole % 60:02d}")
    return _("%(hours)s:%(minutes)s h", hours=whole // 3600, minutes=f"{whole % 3600 // 60:02d}")


def rate(per_second: float) -> str:
    return figure(per_second, 4)


def verdict(word: str) -> str:
    """A verdict as a table shows it; those in capitals are the same in every language."""
    words = {
        "less time": _("less time"),
        "more time": _("more time"),
        "higher rate": _("higher rate"),
        "lower rate": _("lower rate"),
        "not distinguishable": _("not distinguishable"),
        "no verdict": _("no verdict"),
        "within": _("within"),
        "beyond": _("beyond"),
        "skipped": _("skipped"),
        "failed": _("failed"),
        "crashed": _("crashed"),
    }
    return words.get(word, word)


def layers(executed: Dict[str, int]) -> str:
    return ", ".join(f"{count} {precision}" for precision, count in sorted(executed.items()))


def megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else _("%(size)s bytes", size=size)
