"""An ONNX graph in fp16, by ONNX Runtime's converter; for runtimes that take their precision from the graph."""

from pathlib import Path


def half(model: Path) -> bytes:
    """Its layers in fp16; inputs and outputs stay fp32, as TVM's pass leaves them."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    converted: bytes = convert_float_to_float16(onnx.load(str(model)), keep_io_types=True).SerializeToString()
    return converted
