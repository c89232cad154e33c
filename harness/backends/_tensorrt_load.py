"""Loads an engine file, and says why where TensorRT gives back nothing: other version, other device, broken file."""

import json
import re
from pathlib import Path
from typing import Any, Optional, Tuple

from harness.backends._tensorrt_messages import Messages
from harness.errors import BuildError, HarnessError, Unsupported

ENGINE, RUNTIME = "model.engine", "runtime.json"
NO_DEVICE = "no device here can run this engine"
NOT_HERE = {"UNSUPPORTED_CC", "OLD_CUDA_DRIVER", "OLD_CUDA_RUNTIME"}
"""What TensorRT-RTX calls it when the file is right and the machine is not."""
REASONS: Tuple[Tuple[str, str], ...] = (
    (r"expecting compute ([\d.]+) got compute ([\d.]+)", "was built for another device"),
    (r"expecting library version|[Vv]ersion tag does not match", "was built by another version"),
    (r"[Mm]agic tag does not match", "is not an engine, or is broken"),
    (r"out ?of ?memory", "does not fit into the device's memory"),
)
"""TensorRT's words from 8.4 on, as issue threads quote them, and what they mean for the file."""


def engine(trt: Any, product: str, folder: Path, said: Messages) -> Any:
    """The deserialized engine. Raises Unsupported where no device here can run it, BuildError where the file is wrong,
    DeviceError where memory ends."""
    data = (folder / ENGINE).read_bytes()
    runtime = trt.Runtime(said.logger)
    core = _dla_core(folder)
    if core is not None:
        runtime.DLA_core = core
    loaded = runtime.deserialize_cuda_engine(data)
    if loaded is None:
        raise _why(trt, product, runtime, data, said)
    return loaded


def _dla_core(folder: Path) -> Optional[int]:
    try:
        core: Optional[int] = json.loads((folder / RUNTIME).read_text())["dla_core"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(
            f"{RUNTIME}, which lies beside {ENGINE}, cannot be read ({error!r}); build it again"
        ) from error
    return core


def _why(trt: Any, product: str, runtime: Any, data: bytes, said: Messages) -> HarnessError:
    if said.out_of_memory():
        return said.refused(f"load {ENGINE}")
    if hasattr(runtime, "get_engine_validity"):
        flags = int(runtime.get_engine_validity(data)[1])
        kinds = trt.EngineInvalidityDiagnostics.__members__
        names = [name for name, value in kinds.items() if flags & int(value)]
        if NOT_HERE & set(names):
            return Unsupported(f"{NO_DEVICE}: {product} says {', '.join(names)}")
        if names:
            return BuildError(f"{product} refuses {ENGINE} ({', '.join(names)}): {said.sentence()}; build it again")
    for pattern, meaning in REASONS:
        for text in said.errors():
            if re.search(pattern, text):
                return BuildError(f"{ENGINE} {meaning}: {text}; build it again")
    return BuildError(f"{product} cannot load {ENGINE}: {said.sentence()}; build it again")
