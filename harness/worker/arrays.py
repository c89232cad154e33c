"""Arrays that cross between worker and host: `.npz` files of inputs and outputs, checked by their sha256."""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Tuple

import numpy

from harness import upgrades
from harness.backends._contract import Feed
from harness.errors import AccuracyError


def save(path: Path, inputs: Feed, outputs: Feed) -> str:
    """Writes both and returns the file's sha256."""
    buffer = io.BytesIO()
    arrays = {f"input:{name}": array for name, array in inputs.items()}
    arrays.update({f"output:{name}": array for name, array in outputs.items()})
    numpy.savez(buffer, **arrays)  # type: ignore[arg-type]
    upgrades.write_bytes(path, buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def load(path: Path, sha256: str) -> Tuple[Feed, Feed]:
    """Inputs and outputs; raises AccuracyError where the file is not the one that was named."""
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise AccuracyError(
            f"{path.name}: the reference's arrays have sha256 {found[:12]}, its record says {sha256[:12]}; "
            "move the folder away and it is made anew"
        )
    try:
        with numpy.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, zipfile.BadZipFile) as error:
        raise AccuracyError(f"{path.name}: not an .npz file ({error})") from error
    inputs = {name[len("input:") :]: array for name, array in arrays.items() if name.startswith("input:")}
    outputs = {name[len("output:") :]: array for name, array in arrays.items() if name.startswith("output:")}
    return inputs, outputs
