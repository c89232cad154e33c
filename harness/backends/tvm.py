"""TVM's Relax on the CPU, untuned: an engine is a shared library compiled for the host's own LLVM CPU name."""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy

from harness import cpu
from harness.backends import _contract
from harness.backends._contract import Built, Feed, Materials
from harness.errors import BuildError, Unsupported
from harness.records import BuildOptions, InferenceOptions

LAYERS = {"relax.nn.conv2d", "relax.nn.conv1d", "relax.nn.conv3d", "relax.nn.conv2d_transpose", "relax.matmul"}
PRECISIONS = {"float32": "fp32", "float16": "fp16", "int8": "int8", "uint8": "int8"}
LIBRARY = "model.so"
TENSORS = "tensors.json"
EMULATED = "this CPU has no FP16 arithmetic: LLVM widens every operation to fp32 and rounds its result back"
LINKERS = ("g++", "clang++", "c++")


class Runner(_contract.Runner):
    """Inputs live in TVM tensors made at load; outputs are TVM's own, copied into buffers made at load."""

    def __init__(self, tvm: Any, library: Path, tensors: Dict[str, List[Dict[str, Any]]]) -> None:
        self._device = device = tvm.cpu(0)
        self._machine = tvm.relax.VirtualMachine(tvm.runtime.load_module(str(library)), device)
        self._main = self._machine["main"]
        self._inputs = {t["name"]: tvm.runtime.empty(tuple(t["shape"]), t["dtype"], device) for t in tensors["inputs"]}
        self._arguments = tuple(self._inputs.values())
        self._targets = [tvm.runtime.empty(tuple(t["shape"]), t["dtype"], device) for t in tensors["outputs"]]
        names = [tensor["name"] for tensor in tensors["outputs"]]
        self._outputs = {name: numpy.from_dlpack(target) for name, target in zip(names, self._targets)}
        self._result: Any = None

    def set_inputs(self, feed: Feed, slot: int = 0) -> None:
        for name, array in feed.items():
            self._inputs[name].copyfrom(array)

    def enqueue(self, slot: int = 0) -> None:
        self._result = self._main(*self._arguments)

    def synchronize(self, slot: int = 0) -> None:
        pass  # TVM's CPU functions return when they are done

    def get_outputs(self, slot: int = 0) -> Feed:
        # A graph with one output returns a tensor, one with several an array of them.
        results = (self._result,) if len(self._targets) == 1 else self._result
        for target, result in zip(self._targets, results):
            result.copyto(target)
        return self._outputs

    def evaluator(self) -> Callable[[], int]:
        """TVM's `time_evaluator(number=1, repeat=1)`; it makes one untimed call first."""
        timed = self._machine.time_evaluator("main", self._device, number=1, repeat=1)
        return lambda: round(timed(*self._arguments).mean * 1e9)

    def close(self) -> None:
        self._result = None


class Backend(_contract.Backend):
    precisions = frozenset({"fp32", "fp16"})

    def version(self) -> str:
        if importlib.util.find_spec("tvm") is None:
            running = f"{sys.version_info[0]}.{sys.version_info[1]}"
            if sys.version_info < (3, 10):
                raise Unsupported(f"TVM publishes no wheel for Python {running} (3.10 or newer has one)")
            raise Unsupported(f"tvm is not installed for Python {running}")
        import tvm
        import tvm_ffi

        return f"{tvm.__version__} (ffi {tvm_ffi.__version__})"

    def identity(self) -> str:
        try:
            versions = [importlib.metadata.version(name) for name in ("apache-tvm", "apache-tvm-ffi")]
        except importlib.metadata.PackageNotFoundError:  # built from source, or not there
            return ""
        seen = [*versions, sys.version, platform.machine(), cpu.model(), cpu.features()]
        return hashlib.sha256("\n".join(seen).encode()).hexdigest()[:16]

    def architecture(self) -> str:
        return " ".join([platform.machine(), self._cpu(), *self._missing()])

    def variant(self, options: BuildOptions) -> str:
        return f"untuned, {options.target or self._cpu()}"

    def build(self, materials: Materials, options: BuildOptions, engine_dir: Path) -> Built:
        model = materials.model
        if not any(shutil.which(name) for name in LINKERS):
            raise Unsupported(f"TVM needs a C++ linker ({', '.join(LINKERS)}), none is on the PATH: install g++")
        import onnx
        import tvm
        from tvm.relax.frontend.onnx import from_onnx

        target: Dict[str, Any] = {"kind": "llvm", "mcpu": options.target or self._cpu()}
        if options.target is None and self._missing():
            target["mattr"] = self._missing()
        try:
            graph = onnx.load(str(model))
            module = from_onnx(graph)
            if options.precision == "fp16":
                from harness.backends._tvm_half import half

                module = half(module)
            executed = _layers(module)
            library = tvm.compile(module, target=tvm.target.Target(target))
            library.export_library(str(engine_dir / LIBRARY))
        except Exception as error:  # importer and compiler raise classes of many kinds
            raise BuildError(f"tvm cannot build {model.name}: {type(error).__name__}: {_first_line(error)}") from error
        tensors = {"inputs": _tensors(graph.graph.input), "outputs": _tensors(graph.graph.output)}
        (engine_dir / TENSORS).write_text(json.dumps(tensors, indent=1))
        return Built(executed, EMULATED if options.precision == "fp16" and not _native_fp16() else "")

    def load(self, engine_dir: Path, inference: InferenceOptions) -> Runner:
        if inference.cuda_graph is True:
            raise Unsupported("tvm: a CUDA graph needs a CUDA device, and it runs on the CPU here")
        # Read once, when TVM's thread pool starts; it counts the calling thread.
        os.environ["TVM_NUM_THREADS"] = str(inference.threads)
        import tvm
        import tvm.relax

        running = tvm.get_global_func("runtime.NumThreads")()
        if running != inference.threads:
            raise BuildError(f"tvm runs {running} threads where {inference.threads} were asked for")
        return Runner(tvm, engine_dir / LIBRARY, json.loads((engine_dir / TENSORS).read_text()))

    @staticmethod
    def _cpu() -> str:
        from tvm.target import codegen

        return str(codegen.llvm_get_system_cpu())

    @classmethod
    def _missing(cls) -> List[str]:
        """Vector extensions the CPU's name promises and this (often virtual) machine hides, as LLVM's `-feature`."""
        import tvm
        from tvm.target import codegen

        if platform.machine() != "x86_64":
            return []
        promised = codegen.llvm_get_cpu_features(tvm.target.Target({"kind": "llvm", "mcpu": cls._cpu()}))
        there = {flag.replace("_", "") for flag in cpu.features().split()}
        wide = [name for name in promised if name.startswith(("avx", "amx", "fma", "f16c"))]
        return sorted(f"-{name}" for name in wide if name.replace("-", "").replace(".", "") not in there)


def _tensors(values: Any) -> List[Dict[str, Any]]:
    """Name, static shape and dtype of graph inputs or outputs, in the graph's order."""
    import onnx

    found = []
    for value in values:
        tensor = value.type.tensor_type
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
        shape = [dimension.dim_value for dimension in tensor.shape.dim]
        found.append({"name": value.name, "shape": shape, "dtype": dtype})
    return found


def _layers(module: Any) -> Dict[str, int]:
    """Number of convolutions and matrix products by what they read, before TVM lowers them to loops."""
    import tvm
    from tvm import relax

    found: Dict[str, int] = {}

    def visit(node: Any) -> None:
        if isinstance(node, relax.Call) and isinstance(node.op, tvm.ir.Op) and node.op.name in LAYERS:
            dtype = str(node.args[0].ty.dtype)
            precision = PRECISIONS.get(dtype, dtype)
            found[precision] = found.get(precision, 0) + 1

    relax.analysis.post_order_visit(module["main"], visit)
    return found


def _native_fp16() -> bool:
    """Whether the CPU computes in FP16, as x86-64 and Arm kernels spell it."""
    return bool({"avx512_fp16", "asimdhp"} & set(cpu.features().split()))


def _first_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else "no message"
