"""TVM 0.18 and 0.19, in their own words: what `_tvm_generation.Generation` asks of TVM, and today's default passes.

All of this is from the sources of 0.19.0 (0.18.0 has the same names); what is compared with them is named beside it.
"""

import contextlib
import ctypes
import shutil
import warnings
from typing import Any, Dict, Iterator, Optional, Tuple

import numpy

from harness.backends._tvm_generation import CUDA_LIMITS
from harness.errors import Unsupported

PLACES = {
    "cc": "tvm.contrib.cc",
    "dlight": "tvm.dlight",
    "meta_schedule": "tvm.meta_schedule",
    "tir": "tvm.tir",
    "schedule": "tvm.tir.schedule",
    "schedule_transform": "tvm.tir.transform",
}


def version() -> str:
    import tvm

    return str(tvm.__version__)


def imported(graph: Any) -> Any:
    from tvm.relax.frontend.onnx import from_onnx

    drop_regions(graph)
    slice_splits(graph)
    with warnings.catch_warnings():
        # TVM has the model checked and only warns; before opset 13 a Resize had to have its region.
        warnings.filterwarnings("ignore", message="(?s).*Bad node spec.*Resize")
        return from_onnx(graph)


def drop_regions(graph: Any) -> None:
    """A Resize has a region of interest also where its mode reads none, and 0.19 cannot import a constant one."""
    for node in graph.graph.node:
        modes = {one.name: one.s for one in node.attribute}
        reads = modes.get("coordinate_transformation_mode") == b"tf_crop_and_resize"
        if node.op_type == "Resize" and len(node.input) > 2 and not reads:
            node.input[1] = ""


def slice_splits(graph: Any) -> None:
    """A Split of known sizes as a Slice for each of its outputs: 0.19 imports a Split as compiled code with several
    results, over which its own mixed precision falls ("Expected TensorStructInfo, but got R.Callable")."""
    from onnx import helper, numpy_helper

    constants = {one.name: numpy_helper.to_array(one) for one in graph.graph.initializer}
    nodes = []
    for node in graph.graph.node:
        attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        sizes = attributes.get("split", constants.get(node.input[1]) if len(node.input) > 1 else None)
        if node.op_type != "Split" or sizes is None:
            nodes.append(node)
            continue
        begin = 0
        for name, size in zip(node.output, sizes):
            told = {"starts": begin, "ends": begin + int(size), "axes": attributes.get("axis", 0)}
            begin += int(size)
            for what, value in told.items():
                graph.graph.initializer.append(numpy_helper.from_array(numpy.array([value]), f"{name} {what}"))
            nodes.append(helper.make_node("Slice", [node.input[0], *(f"{name} {what}" for what in told)], [name]))
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)


def compiled(module: Any, target: Any, pipeline: Optional[str] = "default") -> Any:
    from tvm import relax

    if pipeline is None:
        return relax.build(module, target, pipeline=None)
    return relax.build(prepared(module, target), target)


def prepared(module: Any, target: Any) -> Any:
    """The module folded, fused and, on CUDA, scheduled. `relax.build` does none of it: its own passes, which come after
    these, are the later half of today's default (`relax/backend/{cpu_generic,cuda}/pipeline.py` of 0.25). What a batch
    normalisation becomes without `DecomposeOpsForInference` is training's, by the mean of its own input."""
    import tvm
    from tvm import relax

    passes = [
        relax.transform.DecomposeOpsForInference(),
        relax.transform.CanonicalizeBindings(),
        relax.backend.DispatchSampling(),
        relax.backend.DispatchSortScan(),
        relax.transform.LegalizeOps(),
        relax.transform.AnnotateTIROpPattern(),
        relax.transform.FoldConstant(),
        relax.transform.FuseOps(),
        relax.transform.FuseTIR(),
    ]
    if target.kind.name == "cuda":
        passes.append(_default_schedules())
    with target:
        return tvm.transform.Sequential(passes)(module)


def _default_schedules() -> Any:
    from tvm import dlight

    gpu = dlight.gpu
    rules = (gpu.Matmul(), gpu.GEMV(), gpu.Reduction(), gpu.GeneralReduction(), gpu.Fallback())
    return dlight.ApplyDefaultSchedule(*rules)


def kernels() -> str:
    """A TVM built without CUDA has no way to keep their source, as today's has."""
    import tvm

    if tvm.get_global_func("target.build.cuda", allow_missing=True) is None:
        raise Unsupported("this TVM was built without CUDA: it compiles no CUDA kernels, not even for another machine")
    return f"compiled by {choose_compiler()}"


def choose_compiler() -> str:
    """Importing TVM registers its call of nvcc, and NVRTC serves only where that is not registered."""
    if shutil.which("nvcc") is None:
        raise Unsupported("TVM of this generation compiles CUDA kernels with nvcc, and none is on the PATH")
    return "nvcc"


def cuda_target(architecture: str) -> Any:
    import tvm

    options: Dict[str, Any] = {"kind": "cuda", "arch": architecture, **CUDA_LIMITS}
    return tvm.target.Target(options)


def empty(shape: Tuple[int, ...], dtype: str, device: Any) -> Any:
    import tvm

    return tvm.nd.empty(shape, dtype, device)


def shared(dlpack: Any) -> Any:
    import tvm

    return tvm.nd.from_dlpack(dlpack)


def address(tensor: Any) -> int:
    """The virtual machine plans memory, so that a tensor may begin inside of its block."""
    described = tensor.handle.contents
    return int(described.data) + int(described.byte_offset)


@contextlib.contextmanager
def on_stream(device: Any, handle: int) -> Iterator[None]:
    """Nobody can ask for the stream that was told before; leaving goes back to the default stream."""
    device.set_raw_stream(ctypes.c_void_p(handle))
    try:
        yield
    finally:
        device.set_raw_stream(None)
