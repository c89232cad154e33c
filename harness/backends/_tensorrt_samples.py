"""The calibration set of an engine: an `.npz`, one array an input, samples along its first axis, cut into batches."""

import zipfile
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Sequence

import numpy

from harness.backends._contract import Feed
from harness.errors import BuildError


class Samples:
    """Batches in the order of the file, each as large as the model's; what does not fill a batch is left out."""

    def __init__(self, path: Path, inputs: Mapping[str, Sequence[int]], dtypes: Mapping[str, numpy.dtype]) -> None:
        """`inputs`: shapes as the model has them, batch first. BuildError where the set does not fit them."""
        self._arrays = arrays = _load(path)
        missing = [name for name in inputs if name not in arrays]
        if missing or not inputs:
            raise BuildError(f"{path.name}: the calibration set has no samples of input {', '.join(missing)}")
        self.batch = next(iter(inputs.values()))[0]
        for name, shape in inputs.items():
            array = arrays[name]
            if tuple(array.shape[1:]) != tuple(shape[1:]):
                raise BuildError(
                    f"{path.name}: samples of {name} have the shape {tuple(array.shape[1:])}, the model takes "
                    f"{tuple(shape[1:])}; make the set for this model's size"
                )
            if not numpy.isfinite(array).all():
                raise BuildError(f"{path.name}: samples of {name} hold NaN or Inf")
            arrays[name] = array.astype(dtypes[name], copy=False)
        counts = {len(arrays[name]) for name in inputs}
        if len(counts) != 1:
            raise BuildError(f"{path.name}: the inputs have different numbers of samples: {sorted(counts)}")
        self.count = counts.pop()
        if self.count < self.batch:
            raise BuildError(
                f"{path.name}: {self.count} calibration samples, one batch alone needs {self.batch}; add images"
            )
        self._names: List[str] = list(inputs)

    def batches(self) -> Iterator[Feed]:
        for start in range(0, self.count - self.batch + 1, self.batch):
            stop = start + self.batch
            yield {name: numpy.ascontiguousarray(self._arrays[name][start:stop]) for name in self._names}


def _load(path: Path) -> Dict[str, numpy.ndarray]:
    try:
        with path.open("rb") as data, numpy.load(data, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BuildError(f"{path.name}: the calibration set cannot be read ({error}); make it anew") from error
