"""Which precision the layers of an optimised ONNX graph really compute in; whoever asked for fp16 may get casts."""

from typing import Any, Dict

LAYERS = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
"""Where the arithmetic is. Runtimes write fused kinds of these under names that end alike (`FusedConv`, `NhwcConv`)."""
PRECISIONS = {1: "fp32", 10: "fp16", 11: "fp64", 16: "bf16", 2: "int8", 3: "int8"}
"""ONNX element types, by TensorProto.DataType."""


def precisions(model: Any) -> Dict[str, int]:
    """Number of layers by the type of what they multiply: an fp16 graph whose layers read casts to fp32 is fp32."""
    types: Dict[str, int] = {}
    for value in [*model.graph.value_info, *model.graph.input]:
        types[value.name] = value.type.tensor_type.elem_type
    for tensor in model.graph.initializer:
        types[tensor.name] = tensor.data_type
    for node in model.graph.node:
        if node.op_type == "Cast":
            types[node.output[0]] = next(one.i for one in node.attribute if one.name == "to")
    found: Dict[str, int] = {}
    for node in model.graph.node:
        if any(node.op_type.endswith(kind) for kind in LAYERS) or node.op_type == "QLinearConv":
            # The weights decide where they are known: an activation of a fused kind often has no type of its own.
            names = [name for name in (node.input[1], node.input[0]) if types.get(name)]
            precision = PRECISIONS.get(types[names[0]], "other") if names else "unknown"
            precision = "int8" if node.op_type == "QLinearConv" else precision
            found[precision] = found.get(precision, 0) + 1
    return found
