"""Calibration sets: a folder of images becomes `results/calibrations/<key>.npz`, inputs as the model takes them.

Only this module knows how an image becomes an input. The key is a hash of the images' bytes in their order, of the
preparation, and of the input; a set that is there is not made again.
"""

import contextlib
import hashlib
import math
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Iterator, NamedTuple, Sequence, Union

import numpy
import onnx
from PIL import Image, ImageOps

from harness.host.models import shapes
from harness.host.models.prepare import PreparedModel
from harness.jobs import Failure
from harness.records import digest

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
PREPARATION = "letterbox in grey 114, bilinear; RGB over 255; float32 NCHW"
"""Stands in the key: whoever changes what is done below changes this."""
GREY = 114
"""What a letterbox is filled with, as YOLOv5 was trained."""
PIXELS = (0.0, 1.0)
"""Range of an input that takes RGB over 255."""
LEAST_IMAGES = 2
"""INT8 is fitted to the range of activations over a set; over one image that is the range of one scene."""
MOST_BYTES = 2 << 30
"""Of a set: it is held in memory where the engine is built, on a board that has little."""


class CalibrationSet(NamedTuple):
    key: str
    path: Path
    images: int


class _Target(NamedTuple):
    """The input that images are made into."""

    name: str
    batch: int
    height: int
    width: int


def prepare(folder: Path, model: PreparedModel, results: Path) -> Union[CalibrationSet, Failure]:
    """The set of `folder` for this model, from the store or made now; a Failure says what is wrong with either.

    Reasons name files and not their folders, since they stand in reports.
    """
    target = _target(model)
    if isinstance(target, Failure):
        return target
    images = sorted(one for one in folder.iterdir() if one.suffix.lower() in SUFFIXES and one.is_file())
    trouble = _trouble(folder.name, len(images), target)
    if trouble:
        return Failure(status="failed", reason=f"calibration: {trouble}")
    try:
        hashes = [_hash(one) for one in images]
        key = digest([hashes, PREPARATION, target.name, target.height, target.width], 16)
        path = results / "calibrations" / f"{key}.npz"
        if not zipfile.is_zipfile(str(path)):  # its table of contents stands at the end: one cut short has none
            _write(path, target, images)
    except _Broken as error:
        return Failure(status="failed", reason=f"calibration: {error}")
    return CalibrationSet(key, path, len(images))


def _target(model: PreparedModel) -> Union[_Target, Failure]:
    """The model's one input, where it takes images."""

    def none(why: str) -> Failure:
        return Failure(status="skipped", reason=f"calibration: {model.reference} {why}, so no images fit it")

    meant = model.manifest.inputs
    if not meant:
        return none("has inputs that nobody can read")
    if len(meant) != 1:
        return none(f"has {len(meant)} inputs ({', '.join(meant)})")
    ((name, one),) = meant.items()
    if tuple(one.range) != PIXELS:
        return none(f"takes {one.meaning} from {one.range[0]:g} to {one.range[1]:g}, not RGB over 255")
    graph = shapes.inputs(onnx.load(str(model.path), load_external_data=False))
    sizes = [dim.dim_value for value in graph if value.name == name for dim in value.type.tensor_type.shape.dim]
    if len(sizes) != 4 or sizes[1] != 3:
        return none(f"takes {name} of shape {'x'.join(str(size) for size in sizes)}, not N x 3 x height x width")
    return _Target(name, sizes[0], sizes[2], sizes[3])


def _trouble(folder: str, count: int, target: _Target) -> str:
    """What is wrong with so many images; empty where nothing is."""
    if count == 0:
        return f"the folder {folder!r} holds no image ({', '.join(SUFFIXES)})"
    if count < LEAST_IMAGES:
        return (
            f"the folder {folder!r} holds one image only; INT8 would be fitted to the range of that one scene: give "
            f"{LEAST_IMAGES} or more (some hundreds are usual)"
        )
    if count < target.batch:
        return f"the folder {folder!r} holds {count} images, fewer than one batch of {target.batch}; add some"
    most = MOST_BYTES // (4 * 3 * target.height * target.width)
    if count > most:
        size = f"{target.height} x {target.width}"
        return f"the folder {folder!r} holds {count} images; of {size} at most {most} are taken: name a folder of fewer"
    return ""


class _Broken(Exception):
    """An image that cannot be read, named."""

    def __init__(self, path: Path, error: Exception) -> None:
        said = str(getattr(error, "strerror", None) or error).replace(f"{path.parent}{os.sep}", "")
        super().__init__(f"the image {path.name} cannot be read ({said}); mend it or take it away")


def _hash(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise _Broken(path, error) from None


def _write(path: Path, target: _Target, images: Sequence[Path]) -> None:
    """One image at a time, so that no more than one is in memory; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(images), 3, target.height, target.width)}
    handle, part = tempfile.mkstemp(dir=str(path.parent), prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w") as archive:
            # A fixed date, so that one set is one file.
            member = zipfile.ZipInfo(f"{target.name}.npy", (1980, 1, 1, 0, 0, 0))
            with archive.open(member, "w", force_zip64=True) as array:
                numpy.lib.format.write_array_header_1_0(array, header)
                for pixels in _prepared(images, target):
                    array.write(pixels.tobytes())
        Path(part).chmod(0o644)
        Path(part).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):  # a signal may come between the replacement and here
            Path(part).unlink()
        raise


def _prepared(images: Sequence[Path], target: _Target) -> Iterator[numpy.ndarray]:
    for path in images:
        try:
            with Image.open(str(path)) as image:
                pixels = letterboxed(image, target.height, target.width)
        except Exception as error:  # readers of formats raise classes of many kinds for a file that is none
            raise _Broken(path, error) from None
        yield numpy.ascontiguousarray(pixels.transpose(2, 0, 1)).astype("<f4") / numpy.float32(255)


def letterboxed(image: Image.Image, height: int, width: int) -> numpy.ndarray:
    """[height, width, 3] of uint8: the whole image, its proportions kept, in the middle of grey."""
    upright = ImageOps.exif_transpose(image) or image
    colour = upright.convert("RGB")
    scale = min(height / colour.height, width / colour.width)
    size = (max(1, math.floor(colour.width * scale + 0.5)), max(1, math.floor(colour.height * scale + 0.5)))
    whole = Image.new("RGB", (width, height), (GREY, GREY, GREY))
    resized = colour if size == colour.size else colour.resize(size, Image.Resampling.BILINEAR)
    whole.paste(resized, ((width - size[0]) // 2, (height - size[1]) // 2))
    return numpy.asarray(whole)
