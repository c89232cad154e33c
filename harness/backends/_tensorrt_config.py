"""Sets the builder's configuration, asking it for every knob before turning it; says in words what was set."""

import hashlib
from pathlib import Path
from typing import Any, Dict, Optional

from harness.backends import _tensorrt_graph
from harness.backends._tensorrt_options import Options
from harness.errors import BuildError, Unsupported

MEBI = 1 << 20
SHARE, MOST_MB = 4, 4096
"""Of the board's memory a quarter, at most 4 GiB: on a Jetson it is the system's memory as well."""
LOWER = 4
"""By this a workspace is divided after a build that ran out of memory."""


def default_workspace_mb(total_bytes: Optional[int]) -> Optional[int]:
    """None, the builder's own default, where no device is here to go by."""
    return None if total_bytes is None else max(1, min(total_bytes // SHARE // MEBI, MOST_MB))


def workspace(trt: Any, config: Any, size_mb: Optional[int]) -> None:
    if size_mb is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, size_mb * MEBI)


def precision(trt: Any, builder: Any, config: Any, wanted: str) -> str:
    """Sets the flags of a precision and names them.

    TF32 rounds the products of fp32: it is on unless cleared, and here only where it was asked for by its name.
    """
    if wanted == "tf32":
        if hasattr(builder, "platform_has_tf32") and not builder.platform_has_tf32:
            raise Unsupported("this device has no TF32, which came with compute capability 8.0; take fp32")
        config.set_flag(trt.BuilderFlag.TF32)
        return "TF32"
    config.clear_flag(trt.BuilderFlag.TF32)
    if not _tensorrt_graph.by_flags(trt) or wanted == "fp32":
        return "no TF32"
    config.set_flag(trt.BuilderFlag.FP16 if wanted == "fp16" else trt.BuilderFlag.INT8)
    return f"{wanted.upper()}, no TF32"


def optimization_level(config: Any, level: Optional[int]) -> None:
    if level is None:
        return
    if not hasattr(config, "builder_optimization_level"):
        raise Unsupported("optimization_level came with TensorRT 8.6, this one has none; leave the option out")
    config.builder_optimization_level = level


def dla(trt: Any, builder: Any, config: Any, network: Any, core: Optional[int]) -> Dict[str, str]:
    """How many layers the DLA says it can take: what falls back to the GPU is else seen nowhere but in the time."""
    if core is None:
        return {}
    if not core < builder.num_DLA_cores:
        raise Unsupported(f"DLA core {core} was asked for, this device and TensorRT have {builder.num_DLA_cores}")
    config.default_device_type = trt.DeviceType.DLA
    config.DLA_core = core
    config.set_flag(trt.BuilderFlag.GPU_FALLBACK)
    able = sum(bool(config.can_run_on_DLA(network.get_layer(index))) for index in range(network.num_layers))
    return {"dla_core": f"{core}; it can take {able} of {network.num_layers} layers, the GPU has the others"}


def profile(builder: Any, config: Any, network: Any, options: Options, model: str) -> Optional[Any]:
    """One, where the network has dynamic inputs; BuildError where nobody says what shapes they have."""
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    dynamic = {given.name: tuple(given.shape) for given in inputs if -1 in tuple(given.shape)}
    unknown = [name for name in options.profile if name not in dynamic]
    if unknown:
        raise BuildError(f"{model}: the profile names {', '.join(unknown)}, which is no input with a dynamic dimension")
    if not dynamic:
        return None
    missing = [f"{name} {shape}" for name, shape in dynamic.items() if name not in options.profile]
    if missing:
        raise BuildError(
            f"{model}: {', '.join(missing)} has a dynamic dimension (-1) and no shape was given: name it in SHAPES, or "
            "in the option profile (images=1x3x640x640)"
        )
    ranges = builder.create_optimization_profile()
    for name, (least, usual, largest) in options.profile.items():
        ranges.set_shape(name, tuple(least), tuple(usual), tuple(largest))
    if config.add_optimization_profile(ranges) < 0:
        raise BuildError(f"{model}: the profile does not fit its inputs: {dict(options.profile)}")
    return ranges


def times_kernels(config: Any) -> bool:
    """False for TensorRT-RTX, which chooses kernels on the device at load, and calls its timing cache deprecated."""
    return not hasattr(config, "set_compute_capability")


def timing_cache(config: Any, stored: Optional[Path]) -> str:
    """Gives `config` a cache that the build fills, with what `stored` holds; says what was read."""
    data = stored.read_bytes() if stored is not None and stored.exists() else b""
    cache, said = config.create_timing_cache(data), f"read {_named(data)}" if data else "began empty"
    if cache is None:  # of another version or device: nothing is lost but time
        cache, said = config.create_timing_cache(b""), f"refused {_named(data)}, began empty"
    config.set_timing_cache(cache, False)
    return said


def written_timing_cache(config: Any, path: Path) -> str:
    """Writes what the build learned to `path`; says what, or nothing where there is nothing."""
    cache = config.get_timing_cache()
    if cache is None:
        return ""
    path.write_bytes(cache.serialize())
    return f"wrote {_named(path.read_bytes())}"


def _named(data: bytes) -> str:
    return f"{hashlib.sha256(data).hexdigest()[:16]} ({len(data)} bytes)"
