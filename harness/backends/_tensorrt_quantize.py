"""An int8 graph for strongly typed builders: ONNX Runtime's static quantization, as QuantizeLinear/DequantizeLinear."""

import tempfile
from pathlib import Path
from typing import Any, Iterator, NamedTuple, Optional

import numpy

from harness.backends._contract import Feed
from harness.backends._tensorrt_samples import Samples

OPSET = 13
"""From here on QuantizeLinear knows one scale for each channel."""
KINDS = ["Conv", "ConvTranspose", "Gemm", "MatMul"]
"""What is quantized: where the arithmetic is. The rest would only add conversions."""
OPTIONS = {
    "QuantizeBias": False,  # the builder takes no int32 biases behind DequantizeLinear
    "ActivationSymmetric": True,  # nor zero points other than 0
    "WeightSymmetric": True,
}


class Quantized(NamedTuple):
    data: bytes
    """Serialized ModelProto."""
    batches: int
    """That its scales were computed from."""


def quantized(model: Path, calibration: Path, algorithm: str) -> Quantized:
    """Scales from `calibration` by `algorithm` (minmax or entropy), computed on the CPU; inputs, outputs stay fp32."""
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization import shape_inference

    proto = onnx.load(str(model))
    if next(one.version for one in proto.opset_import if one.domain in ("", "ai.onnx")) < OPSET:
        proto = onnx.version_converter.convert_version(proto, OPSET)
    methods = quantization.CalibrationMethod
    with tempfile.TemporaryDirectory() as folder:
        given, before, after = (Path(folder) / f"{name}.onnx" for name in ("given", "before", "after"))
        onnx.save(proto, str(given))
        # Folds batch normalisations into convolutions, which a builder cannot do behind quantized weights.
        shape_inference.quant_pre_process(str(given), str(before), skip_symbolic_shape=True)
        samples = Samples(calibration, *_inputs(proto))
        quantization.quantize_static(
            str(before),
            str(after),
            _Reader(samples),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=KINDS,
            per_channel=True,
            activation_type=quantization.QuantType.QInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=methods.Entropy if algorithm == "entropy" else methods.MinMax,
            extra_options=OPTIONS,
        )
        return Quantized(after.read_bytes(), samples.count // samples.batch)


class _Reader:
    """What ONNX Runtime calls a CalibrationDataReader: a feed at a time, then None."""

    def __init__(self, samples: Samples) -> None:
        self._feeds: Iterator[Feed] = samples.batches()

    def get_next(self) -> Optional[Feed]:
        return next(self._feeds, None)


def _inputs(proto: Any) -> Any:
    """Shapes and types of a graph's inputs, by name."""
    import onnx

    weights = {tensor.name for tensor in proto.graph.initializer}
    shapes, dtypes = {}, {}
    for value in proto.graph.input:
        if value.name not in weights:
            tensor = value.type.tensor_type
            shapes[value.name] = [dimension.dim_value for dimension in tensor.shape.dim]
            dtypes[value.name] = numpy.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    return shapes, dtypes
