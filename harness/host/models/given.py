"""A model given as a file, without a manifest: `MODEL=some/file.onnx`; all that is known of it stands in its graph."""

import hashlib
from pathlib import Path
from typing import Dict, List, Tuple

import onnx

from harness.errors import ModelError, UnfitModel
from harness.host.models import shapes
from harness.host.models.manifest import Given, Input, Manifest

RANGE = (0.0, 1.0)


def read(reference: str, sizes: Dict[str, List[int]], batch: int) -> Tuple[bytes, Manifest]:
    """The graph with static shapes in fp32, and a manifest of what it says.

    A file that onnx cannot read is handed on as it is: every backend then fails with its own parser's words, and the
    others of the plan go on.
    """
    path = Path(reference)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"MODEL: {reference}: {error.strerror}; give the path of an ONNX file") from None
    notes = []
    try:
        model = onnx.load(str(path))  # with its external data, which must lie beside it
        if not model.graph.node:
            raise ValueError("it holds no graph")
    except Exception as error:  # protobuf's, onnx's and the system's errors share no class
        said = str(error).replace(f"{path.resolve().parent}/", "").replace(f"{path.parent}/", "").strip().splitlines()
        notes.append(f"onnx cannot read it ({said[0].rstrip('.') if said else type(error).__name__})")
        return data, _manifest(path, data, {}, notes)
    if shapes.widened(model):
        notes.append("stores FP16 values; widened to fp32 for every engine and for the reference")
    data = shapes.with_shapes(model, sizes, path.name)
    static = onnx.load_from_string(data)
    found = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in shapes.inputs(static)}
    fixed = sorted({shape[0] for shape in found.values() if shape})
    if batch != 1 and fixed != [batch]:
        raise UnfitModel(f"BATCH: {path.name} has inputs of batch {fixed}; a batch of {batch} goes into SHAPES")
    return data, _manifest(path, data, found, notes)


def _manifest(path: Path, data: bytes, found: Dict[str, List[int]], notes: List[str]) -> Manifest:
    meaning = "uniform noise: the file does not say what it means"
    return Manifest(
        description=f"{path.name}, a file as given",
        licence="not stated",
        weights="unknown",
        source=Given(file=path.name, sha256=hashlib.sha256(data).hexdigest()),
        inputs={name: Input(shape=list(shape), range=RANGE, meaning=meaning) for name, shape in found.items() if shape},
        outputs={},
        note="; ".join(notes),
    )
