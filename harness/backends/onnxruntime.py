"""ONNX Runtime: an engine is the graph after its optimiser, stored so that loading need not repeat it.

Runs on CUDA where this build of the runtime and the machine have it, else on the CPU.
"""

import functools
import hashlib
import importlib.util
import os
import platform
import sys
from pathlib import Path
from typing import Any, Callable

import numpy

from harness import cpu
from harness.backends import _contract, _half, _layers
from harness.backends._contract import Built, Feed, Materials
from harness.errors import BuildError, Unsupported
from harness.records import BuildOptions, InferenceOptions

ENGINE = "optimized.onnx"
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
TF32 = "NVIDIA_TF32_OVERRIDE"
"""At 0, cuBLAS and cuDNN compute fp32 in fp32; unset, the CUDA provider lets them round its products to TF32.

Read when a process first uses them. Newer providers have a switch of their own, `use_tf32`; this reaches older ones
too.
"""
DTYPES = {"tensor(float)": numpy.float32, "tensor(float16)": numpy.float16, "tensor(double)": numpy.float64}
DTYPES.update({f"tensor({name})": numpy.dtype(name).type for name in ("int64", "int32", "int8", "uint8", "bool")})
BEHIND_CASTS = "its CPU kernels have no fp16 for these layers: the runtime casts to fp32, computes, and casts back"


class Runner(_contract.Runner):
    """On the CPU: inputs and outputs are bound once to buffers made at load; an inference allocates nothing of ours."""

    def __init__(self, session: Any) -> None:
        self._binding = session.io_binding()
        self._run = session.run_with_iobinding
        self._inputs = {value.name: _buffer(value) for value in session.get_inputs()}
        self._results = {value.name: _buffer(value) for value in session.get_outputs()}
        self._outputs = {name: numpy.empty_like(array) for name, array in self._results.items()}
        self._bind()

    def _bind(self) -> None:
        for name, array in self._inputs.items():
            self._binding.bind_input(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        for name, array in self._results.items():
            self._binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)

    def set_inputs(self, feed: Feed, slot: int = 0) -> None:
        for name, array in feed.items():
            numpy.copyto(self._inputs[name], array, casting="no")

    def enqueue(self, slot: int = 0) -> None:
        self._run(self._binding)

    def synchronize(self, slot: int = 0) -> None:
        pass  # the CPU provider returns when it is done

    def get_outputs(self, slot: int = 0) -> Feed:
        for name, array in self._results.items():
            numpy.copyto(self._outputs[name], array)
        return self._outputs

    def bare(self) -> Callable[[], None]:
        return functools.partial(self._run, self._binding)


class CudaRunner(Runner):
    """On CUDA: the bound buffers lie on the device. Not run yet on a machine with a GPU build of the runtime."""

    def _bind(self) -> None:
        import onnxruntime

        make = onnxruntime.OrtValue.ortvalue_from_numpy
        self._device_inputs = {name: make(array, "cuda", 0) for name, array in self._inputs.items()}
        self._device_results = {name: make(array, "cuda", 0) for name, array in self._results.items()}
        for name, value in self._device_inputs.items():
            self._binding.bind_ortvalue_input(name, value)
        for name, value in self._device_results.items():
            self._binding.bind_ortvalue_output(name, value)

    def set_inputs(self, feed: Feed, slot: int = 0) -> None:
        for name, array in feed.items():
            self._device_inputs[name].update_inplace(array)

    def synchronize(self, slot: int = 0) -> None:
        self._binding.synchronize_outputs()

    def get_outputs(self, slot: int = 0) -> Feed:
        for name, value in self._device_results.items():
            numpy.copyto(self._outputs[name], value.numpy())
        return self._outputs


def _buffer(value: Any) -> numpy.ndarray:
    if not all(isinstance(size, int) for size in value.shape):
        raise BuildError(f"onnxruntime: {value.name} has the dynamic shape {value.shape}; fix its dimensions first")
    return numpy.zeros(value.shape, DTYPES[value.type])


class Backend(_contract.Backend):
    precisions = frozenset({"fp32", "fp16"})

    def version(self) -> str:
        if importlib.util.find_spec("onnxruntime") is None:
            raise Unsupported(f"onnxruntime is not installed for Python {sys.version_info[0]}.{sys.version_info[1]}")
        import onnxruntime

        return str(onnxruntime.__version__)

    def architecture(self) -> str:
        # The optimiser lays weights out for the vector width it finds, so an engine belongs to these CPU features.
        features = hashlib.sha256(cpu.features().encode()).hexdigest()[:12]
        return f"{platform.machine()}/{features}" + ("/cuda" if _provider() == CUDA else "")

    def variant(self, options: BuildOptions) -> str:
        return "CUDA" if _provider() == CUDA else ""

    def build(self, materials: Materials, options: BuildOptions, engine_dir: Path) -> Built:
        model = materials.model
        import onnx
        import onnxruntime

        settings = _settings(1)
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        settings.optimized_model_filepath = str(engine_dir / ENGINE)
        try:
            data = _half.half(model) if options.precision == "fp16" else str(model)
            onnxruntime.InferenceSession(data, settings, providers=_providers())
            executed = _layers.precisions(onnx.load(str(engine_dir / ENGINE)))
        except Exception as error:  # neither the runtime's exceptions nor the converter's share a class
            raise BuildError(f"onnxruntime cannot build {model.name}: {error}") from error
        behind_casts = options.precision == "fp16" and executed.get("fp32", 0) > 0
        return Built(executed, BEHIND_CASTS if behind_casts else "")

    def load(self, engine_dir: Path, inference: InferenceOptions) -> Runner:
        import onnxruntime

        if inference.cuda_graph is True:
            raise Unsupported("onnxruntime: this harness launches no CUDA graph of it")
        settings = _settings(inference.threads)
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # done at build
        session = onnxruntime.InferenceSession(str(engine_dir / ENGINE), settings, providers=_providers())
        if session.get_providers()[0] != _provider():  # the runtime falls back without a word
            raise BuildError(f"onnxruntime runs on {session.get_providers()[0]} where {_provider()} was asked for")
        return CudaRunner(session) if _provider() == CUDA else Runner(session)


def _provider() -> str:
    import onnxruntime

    return CUDA if CUDA in onnxruntime.get_available_providers() else CPU


def _providers() -> list:
    """CUDA needs the CPU behind it, for the shapes and constants of a graph."""
    if _provider() == CPU:
        return [CPU]
    os.environ[TF32] = "0"
    return [CUDA, CPU]


def _settings(threads: int) -> Any:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    settings.log_severity_level = 3
    return settings
