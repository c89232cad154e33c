"""Made-up images that INT8 is calibrated with in a self-test: whether it builds and runs needs no more of them."""

from pathlib import Path

import numpy
from PIL import Image

COUNT, SIDE = 8, 640


def write(folder: Path, count: int = COUNT, side: int = SIDE) -> None:
    """Uniform noise, like the inputs that engines are checked with; the same every time, so that engines are found."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        pixels = numpy.random.RandomState(number).randint(0, 256, (side, side, 3)).astype(numpy.uint8)
        Image.fromarray(pixels).save(str(folder / f"{number:03d}.png"), compress_level=0)
