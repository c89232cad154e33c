"""ONNX Runtime on the CPU: an engine is the graph after its optimiser, stored so that loading need not repeat it."""

import hashlib
import importlib.util
import platform
import sys
from pathlib import Path
from typing import Any, Dict, Tuple

import numpy

from harness import cpu
from harness.backends import _contract
from harness.backends._contract import Feed
from harness.errors import BuildError, Unsupported
from harness.records import BuildOptions, InferenceOptions

ENGINE = "optimized.onnx"
DTYPES = {"tensor(float)": numpy.float32, "tensor(float16)": numpy.float16, "tensor(double)": numpy.float64}
DTYPES.update({f"tensor({name})": numpy.dtype(name).type for name in ("int64", "int32", "int8", "uint8", "bool")})


class Runner(_contract.Runner):
    """Inputs and outputs are bound once to buffers of the runtime; an inference allocates nothing of ours."""

    def __init__(self, runtime: Any, session: Any) -> None:
        self._session = session
        self._binding = session.io_binding()
        self._run = session.run_with_iobinding
        self._inputs: Dict[str, Tuple[Any, numpy.ndarray]] = {}
        self._outputs: Dict[str, numpy.ndarray] = {}
        self._device: Dict[str, numpy.ndarray] = {}
        for value in session.get_inputs():
            buffer = self._buffer(value)
            self._device[value.name] = buffer
            self._binding.bind_input(value.name, "cpu", 0, buffer.dtype.type, buffer.shape, buffer.ctypes.data)
        for value in session.get_outputs():
            buffer = self._buffer(value)
            self._device[value.name] = buffer
            self._outputs[value.name] = numpy.empty_like(buffer)
            self._binding.bind_output(value.name, "cpu", 0, buffer.dtype.type, buffer.shape, buffer.ctypes.data)

    @staticmethod
    def _buffer(value: Any) -> numpy.ndarray:
        if not all(isinstance(size, int) for size in value.shape):
            raise BuildError(f"onnxruntime: {value.name} has the dynamic shape {value.shape}; fix its dimensions first")
        return numpy.zeros(value.shape, DTYPES[value.type])

    def set_inputs(self, feed: Feed, slot: int = 0) -> None:
        for name, array in feed.items():
            numpy.copyto(self._device[name], array, casting="no")

    def enqueue(self, slot: int = 0) -> None:
        self._run(self._binding)

    def synchronize(self, slot: int = 0) -> None:
        pass  # the CPU provider returns when it is done

    def get_outputs(self, slot: int = 0) -> Feed:
        for name, array in self._outputs.items():
            numpy.copyto(array, self._device[name])
        return self._outputs


class Backend(_contract.Backend):
    precisions = frozenset({"fp32"})

    def version(self) -> str:
        if importlib.util.find_spec("onnxruntime") is None:
            raise Unsupported(f"onnxruntime is not installed for Python {sys.version_info[0]}.{sys.version_info[1]}")
        import onnxruntime

        return str(onnxruntime.__version__)

    def architecture(self) -> str:
        # The optimiser lays weights out for the vector width it finds, so an engine belongs to these CPU features.
        return f"{platform.machine()}/{hashlib.sha256(cpu.features().encode()).hexdigest()[:12]}"

    def build(self, model: Path, options: BuildOptions, engine_dir: Path) -> None:
        import onnxruntime

        settings = self._settings(1)
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        settings.optimized_model_filepath = str(engine_dir / ENGINE)
        try:
            onnxruntime.InferenceSession(str(model), settings, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime's exceptions share no class of their own
            raise BuildError(f"onnxruntime cannot build {model.name}: {error}") from error

    def load(self, engine_dir: Path, inference: InferenceOptions) -> Runner:
        import onnxruntime

        settings = self._settings(inference.threads)
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # done at build
        session = onnxruntime.InferenceSession(str(engine_dir / ENGINE), settings, providers=["CPUExecutionProvider"])
        return Runner(onnxruntime, session)

    @staticmethod
    def _settings(threads: int) -> Any:
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        settings.inter_op_num_threads = 1
        settings.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        settings.log_severity_level = 3
        return settings
