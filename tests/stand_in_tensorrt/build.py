"""The stand-in's builder, parser, network and configuration: an ONNX file in, a description of its tensors out."""

import json
import sys
from typing import Any, Dict, List, Optional

import numpy
import onnx

from tests.stand_in_tensorrt.names import Dims, Guarded
from tests.stand_in_tensorrt.rules import hold

MAGIC, CACHE = b"STAND-IN", b"STAND-IN TIMING CACHE"
TYPES = {1: "FLOAT", 2: "UINT8", 3: "INT8", 6: "INT32", 7: "INT64", 9: "BOOL", 10: "HALF"}
"""By TensorProto.DataType."""
WITHOUT = ("NoSuchOp",)
"""Operators that no version has."""


class Part(Guarded):
    def __init__(self, trt: Any) -> None:
        self._names, self._trt = trt._names, trt


def builder(trt: Any, logger: Any) -> "Builder":
    trt._take_logger(logger)
    if trt._work is None and trt._names.version != "rtx":
        trt._say("ERROR", "CUDA initialization failure with error: 35")
        raise TypeError("pybind11::init(): factory function returned nullptr")
    return Builder(trt)


class Builder(Part):
    def __init__(self, trt: Any) -> None:
        super().__init__(trt)
        self._cores, self._tf32 = trt._dla_cores, tuple(map(int, trt._compute.split("."))) >= (8, 0)

    @property
    def num_DLA_cores(self) -> int:
        return int(self._cores)

    @property
    def platform_has_tf32(self) -> bool:
        return bool(self._tf32)

    def create_network(self, flags: int = 0) -> "INetworkDefinition":
        return INetworkDefinition(self._trt, flags)

    def create_builder_config(self) -> "IBuilderConfig":
        return IBuilderConfig(self._trt)

    def create_optimization_profile(self) -> "IOptimizationProfile":
        return IOptimizationProfile(self._trt)

    def build_serialized_network(self, network: "INetworkDefinition", config: "IBuilderConfig") -> Optional[memoryview]:
        trt = self._trt
        trt._configs.append(config)
        if trt._fails:
            trt._say("ERROR", trt._fails)
            return None
        dynamic = [one._port["name"] for one in network._inputs if -1 in one._port["shape"]]
        hold("profile-given", not dynamic or bool(config._profiles), f"{dynamic} have dynamic shapes")
        if "INT8" in config._flags:
            hold("int8-scales", network._quantized or config._calibrator is not None, "int8")
            if config._calibrator is not None:
                _calibrate(trt, network, config)
        limit = trt._workspace_limit_mb
        if limit is not None and config._workspace > limit << 20:
            trt._say("WARNING", "Requested amount of GPU memory (4294967296 bytes) could not be allocated.")
            trt._say("ERROR", "2: [virtualMemoryBuffer.cpp::resizePhysical::145] Error Code 2: OutOfMemory (no more)")
            trt._say(
                "ERROR", "10: [optimizer.cpp::computeCosts::3869] Could not find any implementation for node conv."
            )
            return None
        if config._cache is not None:
            config._cache._data += b" conv: tactic 1"
        return memoryview(MAGIC + json.dumps(_described(trt, network, config)).encode())


def _described(trt: Any, network: "INetworkDefinition", config: "IBuilderConfig") -> Dict[str, Any]:
    profile = config._profiles[0]._shapes if config._profiles else {}
    ports = [{**one._port, "input": True, "profile": profile.get(one._port["name"])} for one in network._inputs]
    ports += [{**one, "input": False, "profile": None} for one in network._outputs]
    precision = "INT8" if "INT8" in config._flags else "FP16" if "FP16" in config._flags else "FP32"
    return {
        "version": trt.__version__,
        "compute": trt._compute,
        "dla": config._core if config._on_dla else None,
        "ports": ports,
        "layers": network._layers,
        "precision": precision,
        "detailed": config._detailed,
    }


def _calibrate(trt: Any, network: "INetworkDefinition", config: "IBuilderConfig") -> None:
    calibrator = config._calibrator
    kind = type(calibrator).__mro__[1].__name__
    assert calibrator._made, "the calibrator's own __init__ was not called by its heir"
    for name in ("get_batch_size", "read_calibration_cache", "get_batch", "write_calibration_cache"):
        trt._names.touch(kind, name)
    batch, kept = calibrator.get_batch_size(), calibrator.read_calibration_cache()
    if kept is not None:
        trt._calibrated.append({"cache": bytes(kept)})
        return
    names = [one._port["name"] for one in network._inputs]
    while True:
        try:
            addresses = calibrator.get_batch(names)
        except Exception as error:  # rule calibrator-raises
            print(f"[ERROR] Exception caught in get_batch(): {error}", file=sys.stderr)
            break
        if not addresses:
            break
        hold("calibrator-batch", len(addresses) == len(names), f"{len(addresses)} addresses")
        seen = {}
        for one, address in zip(network._inputs, addresses):
            shape = [size if size > 0 else batch for size in one._port["shape"]]
            nbytes = int(numpy.prod(shape)) * itemsize(one._port["dtype"])
            hold("calibrator-batch", trt._work.holds(address, nbytes), f"{one._port['name']} at {address:#x}")
            seen[one._port["name"]] = trt._work.read(address, nbytes)
        trt._calibrated.append(seen)
    calibrator.write_calibration_cache(memoryview(f"TRT-{kind}\nimages: 3c010a14\n".encode()))


def itemsize(dtype: str) -> int:
    return {"FLOAT": 4, "INT32": 4, "HALF": 2, "INT64": 8}.get(dtype, 1)


class IBuilderConfig(Part):
    def __init__(self, trt: Any) -> None:
        super().__init__(trt)
        self._flags = {"TF32"}
        self._profiles: List[IOptimizationProfile] = []
        self._workspace = 1 << 40
        self._calibrator: Any = None
        self._cache: Optional[ITimingCache] = None
        self._detailed = self._on_dla = False
        self._core = -1
        self._level = 3
        self._calibration_profile: Any = None

    profiling_verbosity = property(None, lambda self, value: setattr(self, "_detailed", value.name == "DETAILED"))
    default_device_type = property(None, lambda self, value: setattr(self, "_on_dla", value.name == "DLA"))
    DLA_core = property(None, lambda self, value: setattr(self, "_core", value))
    builder_optimization_level = property(
        lambda self: self._level, lambda self, value: setattr(self, "_level", int(value))
    )
    int8_calibrator = property(None, lambda self, value: setattr(self, "_calibrator", value))

    def set_memory_pool_limit(self, pool: Any, pool_size: int) -> None:
        assert pool.name == "WORKSPACE"
        self._workspace = pool_size

    def set_flag(self, flag: Any) -> None:
        self._flags.add(flag.name)

    def clear_flag(self, flag: Any) -> None:
        self._flags.discard(flag.name)

    def can_run_on_DLA(self, layer: Any) -> bool:
        return layer != "Softmax"

    def add_optimization_profile(self, profile: "IOptimizationProfile") -> int:
        self._profiles.append(profile)
        return len(self._profiles) - 1

    def set_calibration_profile(self, profile: "IOptimizationProfile") -> bool:
        self._calibration_profile = profile
        return True

    def set_compute_capability(self, compute_capability: Any, index: int) -> bool:
        raise AssertionError("an engine of TensorRT-RTX is for every device")

    def create_timing_cache(self, serialized_timing_cache: bytes) -> "Optional[ITimingCache]":
        data = bytes(serialized_timing_cache)
        if data and not data.startswith(CACHE):
            self._trt._say("ERROR", "Timing cache serialization version or device does not match")
            return None
        return ITimingCache(self._trt, data or CACHE)

    def set_timing_cache(self, cache: "ITimingCache", ignore_mismatch: bool) -> bool:
        assert isinstance(cache, ITimingCache)
        self._cache = cache
        return True

    def get_timing_cache(self) -> "Optional[ITimingCache]":
        return self._cache


class ITimingCache(Part):
    def __init__(self, trt: Any, data: bytes) -> None:
        super().__init__(trt)
        self._data = data

    def serialize(self) -> memoryview:
        return memoryview(self._data)


class IOptimizationProfile(Part):
    def __init__(self, trt: Any) -> None:
        super().__init__(trt)
        self._shapes: Dict[str, List[List[int]]] = {}

    def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:
        self._shapes[input] = [list(min), list(opt), list(max)]


class ITensor(Part):
    def __init__(self, trt: Any, port: Dict[str, Any]) -> None:
        super().__init__(trt)
        self._port = port

    @property
    def name(self) -> str:
        return str(self._port["name"])

    @property
    def shape(self) -> Dims:
        return Dims(self._port["shape"])

    @property
    def dtype(self) -> Any:
        return self._trt._made["DataType"].__members__[self._port["dtype"]]


class INetworkDefinition(Part):
    def __init__(self, trt: Any, flags: int) -> None:
        super().__init__(trt)
        self._explicit = bool(flags & 1) or trt._names.version in ("10.3", "10.13", "10.16", "11", "rtx")
        self._inputs: List[ITensor] = []
        self._outputs: List[Dict[str, Any]] = []
        self._layers: List[str] = []
        self._quantized = False

    @property
    def num_inputs(self) -> int:
        return len(self._inputs)

    @property
    def num_layers(self) -> int:
        return len(self._layers)

    def get_input(self, index: int) -> ITensor:
        return self._inputs[index]

    def get_layer(self, index: int) -> Any:
        return self._layers[index]


class OnnxParser(Part):
    def __init__(self, trt: Any, network: INetworkDefinition, logger: Any) -> None:
        super().__init__(trt)
        trt._take_logger(logger)
        self._network, self._errors = network, []  # type: INetworkDefinition, List[ParserError]

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> "ParserError":
        return self._errors[index]

    def parse(self, model: bytes, path: Optional[str] = None) -> bool:
        hold("explicit-batch", self._network._explicit, "a network for the parser")
        graph = onnx.load_model_from_string(bytes(model)).graph
        for position, node in enumerate(graph.node):
            if node.op_type in WITHOUT:
                self._trt._say("ERROR", f"[TRT] ModelImporter.cpp:140: While parsing node number {position}")
                self._errors.append(ParserError(self._trt, position, node))
                return False
        weights = {tensor.name for tensor in graph.initializer}
        given = [_port(value) for value in graph.input if value.name not in weights]
        self._network._inputs = [ITensor(self._trt, port) for port in given]
        self._network._outputs = [_port(value) for value in graph.output]
        self._network._layers = [node.op_type for node in graph.node]
        self._network._quantized = "QuantizeLinear" in self._network._layers
        return True


def _port(value: Any) -> Dict[str, Any]:
    tensor = value.type.tensor_type
    shape = [dimension.dim_value if dimension.dim_value > 0 else -1 for dimension in tensor.shape.dim]
    return {"name": value.name, "shape": shape, "dtype": TYPES[tensor.elem_type]}


class ParserError(Part):
    def __init__(self, trt: Any, position: int, node: Any) -> None:
        super().__init__(trt)
        self._position, self._node = position, node

    def node(self) -> int:
        return self._position

    def node_name(self) -> str:
        return str(self._node.name)

    def node_operator(self) -> str:
        return str(self._node.op_type)

    def code(self) -> str:
        return "ErrorCode.UNSUPPORTED_NODE"

    def desc(self) -> str:
        return 'creator && "Plugin not found, are the plugin name, version, and namespace correct?"'
