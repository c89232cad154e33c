"""TVM 0.25 and newer, in its own words: what `_tvm_generation.Generation` asks of it."""

import importlib.util
import os
import shutil
from typing import Any, ContextManager, Optional, Tuple

from harness.backends._tvm_generation import CUDA_LIMITS, SOURCE
from harness.errors import Unsupported

MODE = "TVM_CUDA_COMPILE_MODE"
PLACES = {
    "cc": "tvm.support.cc",
    "dlight": "tvm.s_tir.dlight",
    "meta_schedule": "tvm.s_tir.meta_schedule",
    "tir": "tvm.tirx",
    "schedule": "tvm.s_tir.schedule",
    "schedule_transform": "tvm.s_tir.transform",
}


def version() -> str:
    import tvm
    import tvm_ffi

    return f"{tvm.__version__} (ffi {tvm_ffi.__version__})"


def imported(graph: Any) -> Any:
    from tvm.relax.frontend.onnx import from_onnx

    return from_onnx(graph)


def compiled(module: Any, target: Any, pipeline: Optional[str] = "default") -> Any:
    import tvm

    return tvm.compile(module, target=target, relax_pipeline=pipeline)


def kernels() -> str:
    """Where TVM cannot load its CUDA runtime, it leaves their source in the engine."""
    import tvm

    if tvm.get_global_func("ffi.Module.create.cuda", allow_missing=True) is None:
        return SOURCE
    return f"compiled by {choose_compiler()}"


def choose_compiler() -> str:
    """NVRTC, which TVM takes by default, needs cuda-python."""
    if MODE not in os.environ:
        if _importable("cuda.bindings.nvrtc"):
            os.environ[MODE] = "nvrtc"
        elif shutil.which("nvcc"):
            os.environ[MODE] = "nvcc"
        else:
            raise Unsupported("TVM needs nvcc on the PATH, or cuda-python 12 or newer, to compile CUDA kernels")
    return os.environ[MODE]


def _importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # of a package above it
        return False


def cuda_target(architecture: str) -> Any:
    import tvm

    return tvm.target.Target({"kind": "cuda", "arch": architecture, **CUDA_LIMITS})


def empty(shape: Tuple[int, ...], dtype: str, device: Any) -> Any:
    import tvm

    return tvm.runtime.empty(shape, dtype, device)


def shared(dlpack: Any) -> Any:
    import tvm

    return tvm.runtime.from_dlpack(dlpack)


def address(tensor: Any) -> int:
    return int(tensor.data_ptr())


def on_stream(device: Any, handle: int) -> ContextManager[Any]:
    import tvm_ffi

    told: ContextManager[Any] = tvm_ffi.use_raw_stream(device, handle)
    return told
