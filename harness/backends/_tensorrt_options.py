"""What an experiment may ask of TensorRT's builder, read and checked; the names stand in `Backend.options`."""

from typing import Dict, List, Mapping, NamedTuple, Optional, Tuple, Type

from msgspec import UNSET

from harness.errors import BuildError
from harness.records import BuildOptions

NAMES: Mapping[str, Type[object]] = {
    "workspace_mb": int,
    "optimization_level": int,
    "dla_core": int,
    "calibrator": str,
    "timing_cache": bool,
    "profile": str,
}
CALIBRATORS = ("minmax", "entropy")
Shapes = Tuple[List[int], List[int], List[int]]


class Options(NamedTuple):
    workspace_mb: Optional[int] = None
    """Most scratch memory of one layer; None is a default from the board's memory."""
    optimization_level: Optional[int] = None
    """0 (builds fastest) to 5 (searches longest)."""
    dla_core: Optional[int] = None
    """Layers that the DLA can take run there, the others on the GPU."""
    calibrator: str = "minmax"
    """Of int8. YOLOv5 loses far less accuracy by min-max than by entropy."""
    timing_cache: Optional[bool] = None
    """Whether what earlier builds learned is read; see `reads_timing_cache`."""
    profile: Mapping[str, Shapes] = {}
    """Least, usual and largest shape of each input with dynamic dimensions."""


def read(build: BuildOptions) -> Options:
    asked = {} if build.options is UNSET else dict(build.options)
    for name, value in asked.items():
        kind = NAMES.get(name)
        if kind is None:
            raise BuildError(f"tensorrt has no option {name}; there are {', '.join(NAMES)}")
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise BuildError(f"tensorrt: {name} is {value!r}, it takes {kind.__name__}")
    found = Options(**{**asked, "profile": _profile(str(asked.get("profile", "")))})  # type: ignore[arg-type]
    if found.calibrator not in CALIBRATORS:
        raise BuildError(f"tensorrt: calibrator is {found.calibrator!r}; there are {', '.join(CALIBRATORS)}")
    if found.workspace_mb is not None and found.workspace_mb < 1:
        raise BuildError(f"tensorrt: workspace_mb is {found.workspace_mb}; the least is 1")
    if found.optimization_level is not None and not 0 <= found.optimization_level <= 5:
        raise BuildError(f"tensorrt: optimization_level is {found.optimization_level}; give 0 to 5")
    if found.dla_core is not None and build.precision not in ("fp16", "int8"):
        raise BuildError(f"tensorrt: a DLA computes in fp16 and int8, not in {build.precision}")
    return found


def reads_timing_cache(options: Options, build: BuildOptions) -> bool:
    """Unless said otherwise, yes, but for builds that are numbered.

    Those are made to see how much builds of one engine differ; with one cache, the second would copy the first one's
    choice of kernels instead of making its own.
    """
    return options.timing_cache if options.timing_cache is not None else build.build_number is UNSET


def _profile(text: str) -> Dict[str, Shapes]:
    """`images=1x3x640x640` or `images=1x3x320x320:1x3x640x640:1x3x1280x1280`; several inputs after a semicolon."""
    found: Dict[str, Shapes] = {}
    for part in filter(None, text.split(";")):
        name, _, shapes = part.partition("=")
        try:
            sizes = [[int(size) for size in shape.split("x")] for shape in shapes.split(":")]
        except ValueError:
            sizes = []
        if len(sizes) not in (1, 3) or len({len(one) for one in sizes}) != 1:
            raise BuildError(
                f"tensorrt: profile {part!r} is neither input=SHAPE nor input=LEAST:USUAL:LARGEST; a shape is "
                "1x3x640x640"
            )
        found[name.strip()] = (sizes[0], sizes[len(sizes) // 2], sizes[-1])
    return found
