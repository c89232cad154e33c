"""From ONNX to a shared library by TVM's default pipeline, untuned: on CUDA with DLight's default schedules.

A tuned engine takes its schedules from a trial log, and only the rest from that pipeline.

Layout of an engine: the library, and `tensors.json` with inputs and outputs, and what they were compiled for.
"""

import json
from pathlib import Path
from typing import Any, Dict, List, Optional

from harness import cpu
from harness.backends import _tvm_target
from harness.backends._contract import Built, Materials
from harness.backends._tvm_generation import SOURCE, dtype, generation, part
from harness.backends._tvm_target import Target
from harness.errors import BuildError, HarnessError
from harness.records import BuildOptions

LAYERS = {"relax.nn.conv2d", "relax.nn.conv1d", "relax.nn.conv3d", "relax.nn.conv2d_transpose", "relax.matmul"}
PRECISIONS = {"float32": "fp32", "float16": "fp16", "int8": "int8", "uint8": "int8"}
LIBRARY = "model.so"
TENSORS = "tensors.json"
EMULATED = "this CPU has no FP16 arithmetic: LLVM widens every operation to fp32 and rounds its result back"


def build(materials: Materials, options: BuildOptions, engine_dir: Path) -> Built:
    """Raises BuildError or Unsupported."""
    import onnx

    model = materials.model
    settings: Dict[str, str] = {}
    try:
        target = _tvm_target.target(options.target)
        kernels = generation().kernels() if target.kind == "cuda" else ""
        graph = onnx.load(str(model))
        module = imported(model, options.precision)
        executed = _layers(module)
        pipeline: Optional[str] = "default"
        if materials.trials is not None:
            from harness.backends._tvm_tuning import engine

            module, settings = engine.tuned(module, target.tvm, materials.trials)
            pipeline = None
        _compile(module, target, engine_dir / LIBRARY, pipeline)
    except HarnessError:
        raise
    except Exception as error:  # importer and compiler raise classes of many kinds
        raise BuildError(f"tvm cannot build {model.name}: {type(error).__name__}: {first_line(error)}") from error
    layout = {
        "inputs": _tensors(graph.graph.input),
        "outputs": _tensors(graph.graph.output),
        "kind": target.kind,
        "architecture": target.architecture,
        "machine": target.machine,
        "kernels": kernels,
    }
    (engine_dir / TENSORS).write_text(json.dumps(layout, indent=1))
    emulated = target.kind == "llvm" and options.precision == "fp16" and not _native_fp16()
    if kernels:
        settings["cuda_kernels"] = kernels + (" (compiled where they are loaded)" if kernels == SOURCE else "")
    return Built(executed, EMULATED if emulated else "", settings=settings)


def imported(model: Path, precision: str) -> Any:
    """The model's graph as a Relax module, in fp16 where that is asked for; raises whatever TVM's importer raises."""
    import onnx

    module = generation().imported(onnx.load(str(model)))
    if precision == "fp16":
        from harness.backends._tvm_half import half

        module = half(module)
    return module


def _compile(module: Any, target: Target, path: Path, pipeline: Optional[str]) -> None:
    import tvm

    # TVM's own CUDA graphs stay off, whatever a process has set: one inference is captured as a whole when it is run,
    # as for every other runtime, and then the same engine serves with a graph and without one.
    level = tvm.transform.PassContext.current().opt_level
    with tvm.transform.PassContext(opt_level=level, config={"relax.backend.use_cuda_graph": False}):
        library = generation().compiled(module, target.tvm, pipeline)
    crossed = None if target.linker in _tvm_target.LINKERS else part("cc").cross_compiler(target.linker)
    library.export_library(str(path), fcompile=crossed)


def _tensors(values: Any) -> List[Dict[str, Any]]:
    """Name, static shape and dtype of graph inputs or outputs, in the graph's order."""
    import onnx

    found = []
    for value in values:
        tensor = value.type.tensor_type
        of_numpy = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        shape = [dimension.dim_value for dimension in tensor.shape.dim]
        found.append({"name": value.name, "shape": shape, "dtype": of_numpy.name})
    return found


def _layers(module: Any) -> Dict[str, int]:
    """Number of convolutions and matrix products by what they read, before TVM lowers them to loops."""
    import tvm
    from tvm import relax

    found: Dict[str, int] = {}

    def visit(node: Any) -> None:
        if isinstance(node, relax.Call) and isinstance(node.op, tvm.ir.Op) and node.op.name in LAYERS:
            read = dtype(node.args[0])
            precision = PRECISIONS.get(read, read)
            found[precision] = found.get(precision, 0) + 1

    relax.analysis.post_order_visit(module["main"], visit)
    return found


def _native_fp16() -> bool:
    """Whether the CPU computes in FP16, as x86-64 and Arm kernels spell it."""
    return bool({"avx512_fp16", "asimdhp"} & set(cpu.features().split()))


def first_line(error: BaseException) -> str:
    """What went wrong, without the stack that earlier versions of TVM put before it."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    if lines and lines[0].startswith("Traceback"):
        lines = [line for line in lines[1:] if not line[0].isspace()]
    first, named = lines[0] if lines else "no message", f"{type(error).__name__}: "
    return first[len(named) :] if first.startswith(named) else first
