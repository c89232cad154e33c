"""The ONNX graph that TensorRT gets, and what decides its precision: the builder's flags (up to 10), or the graph.

From 11 on, and in TensorRT-RTX, networks are strongly typed: an fp16 engine is built from an fp16 graph, an int8 engine
from one with QuantizeLinear and DequantizeLinear. Both are made here by ONNX Runtime's converters.
"""

from pathlib import Path
from typing import Any, Dict, NamedTuple

from harness.backends import _half, _layers, _tensorrt_quantize
from harness.backends._contract import Materials
from harness.errors import BuildError, Unsupported
from harness.records import BuildOptions

FLAGS, MODEL = "builder flags", "model"
NO_CALIBRATION = "int8 needs calibration images: CALIBRATION=folder"


class Graph(NamedTuple):
    data: bytes
    """Serialized ModelProto."""
    proto: Any
    """The same, parsed."""
    opset: int
    source: str
    """`precision_source` of the engine's record."""
    calibrate: bool
    """The builder has to calibrate: int8 by flags, and the graph brings no scales of its own."""
    calibration: str
    """How scales came into the graph, where that was done here: `minmax, 8 batches`."""
    typed: Dict[str, int]
    """Layers by the types that the graph gives them; what runs, the engine's inspector says."""


def by_flags(trt: Any) -> bool:
    return hasattr(trt.BuilderFlag, "FP16")


def prepare(trt: Any, materials: Materials, options: BuildOptions, algorithm: str) -> Graph:
    """`algorithm` of calibration: minmax or entropy. Raises BuildError where the file is no model, or no such graph
    can be made; Unsupported where int8 has neither scales nor images."""
    model = materials.model
    proto = _read(model)
    quantized = any(node.op_type == "QuantizeLinear" for node in proto.graph.node)
    if options.precision == "int8" and not quantized and materials.calibration is None:
        raise Unsupported(NO_CALIBRATION)
    if by_flags(trt):
        calibrate = options.precision == "int8" and not quantized
        return _graph(proto.SerializeToString(), proto, FLAGS, calibrate)
    data, how = None, ""
    try:
        if options.precision == "fp16":
            data = _half.half(model)
        elif options.precision == "int8" and not quantized:
            assert materials.calibration is not None
            data, batches = _tensorrt_quantize.quantized(model, materials.calibration, algorithm)
            how = f"{algorithm}, {batches} batches"
    except BuildError:
        raise
    except Exception as error:  # the converters' exceptions share no class
        raise BuildError(f"{model.name}: no {options.precision} graph can be made of it: {error}") from error
    return _graph(data or proto.SerializeToString(), proto if data is None else _parsed(data), MODEL, False, how)


def _graph(data: bytes, proto: Any, source: str, calibrate: bool, calibration: str = "") -> Graph:
    opset = next((one.version for one in proto.opset_import if one.domain in ("", "ai.onnx")), 0)
    return Graph(data, proto, opset, source, calibrate, calibration, layers(proto))


def layers(proto: Any) -> Dict[str, int]:
    """As `_layers.precisions`, and a layer whose weights come out of a DequantizeLinear is int8: builders fuse them."""
    import onnx

    fused = onnx.ModelProto()
    fused.CopyFrom(proto)
    stored = {tensor.name: tensor.data_type for tensor in fused.graph.initializer}
    for node in fused.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in stored:
            fused.graph.value_info.append(
                onnx.helper.make_tensor_value_info(node.output[0], stored[node.input[0]], None)
            )
    return _layers.precisions(fused)


def _read(model: Path) -> Any:
    import onnx

    try:
        proto = onnx.load(str(model))
    except Exception as error:  # protobuf's exceptions have moved between its versions
        raise BuildError(f"{model.name}: not an ONNX model ({type(error).__name__}: {error})") from error
    if not proto.graph.node or not proto.graph.output:  # much that is no model parses as an empty one
        raise BuildError(f"{model.name}: not an ONNX model, or one of no layers")
    return proto


def _parsed(data: bytes) -> Any:
    import onnx

    return onnx.load_model_from_string(data)
