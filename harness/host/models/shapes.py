"""Rewrites a graph so that every backend reads the same static shapes in fp32: batch, named shapes, widened floats."""

import contextlib
from typing import Dict, Iterator, List, Sequence

import numpy
import onnx
from onnx import TensorProto, numpy_helper, shape_inference

from harness.errors import ModelError, UnfitModel

LARGEST = 2**31 - 1
"""Of one dimension: what every runtime can count to."""
HALVES = (TensorProto.FLOAT16, TensorProto.BFLOAT16)


def inputs(model: onnx.ModelProto) -> List[onnx.ValueInfoProto]:
    """Real inputs: old graphs list their weights among them."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


def with_batch(data: bytes, batch: int, name: str) -> bytes:
    """The model with the first dimension of every input fixed to `batch`."""
    model = onnx.load_from_string(data)
    for value in inputs(model):
        first = value.type.tensor_type.shape.dim[0]
        if first.HasField("dim_value") and first.dim_value != batch:
            raise UnfitModel(f"{name}: its file has a fixed batch of {first.dim_value}; {batch} was asked for")
        first.dim_value = batch
    return inferred(model)


def with_shapes(model: onnx.ModelProto, shapes: Dict[str, List[int]], name: str) -> bytes:
    """The model with the named inputs fixed; ModelError where a dimension stays open or a shape cannot be."""
    known = {value.name: value for value in inputs(model)}
    for given, sizes in shapes.items():
        if given not in known:
            raise ModelError(f"SHAPES: {name} has no input {given!r}; it has {', '.join(known)}")
        dims = known[given].type.tensor_type.shape.dim
        if len(dims) != len(sizes):
            raise ModelError(f"SHAPES: {given} has {len(dims)} dimensions in {name}, {len(sizes)} were given")
        if not all(0 < size <= LARGEST for size in sizes):
            raise ModelError(f"SHAPES: {given} is given as {sizes}; a size is a number from 1 to {LARGEST}")
        for dim, size in zip(dims, sizes):
            if dim.HasField("dim_value") and dim.dim_value not in (0, size):
                raise ModelError(f"SHAPES: {given} is {words(dims)} in {name}; {dim.dim_value} cannot become {size}")
            dim.dim_value = size
    still_open = [value for value in known.values() if any(d.dim_value < 1 for d in value.type.tensor_type.shape.dim)]
    if still_open:
        said = ", ".join(f"{value.name} is {words(value.type.tensor_type.shape.dim)}" for value in still_open)
        example = ",".join(f"{value.name}:{_example(value)}" for value in still_open)
        raise UnfitModel(f"{name}: {said}: dynamic dimensions need a size, like SHAPES={example}")
    return inferred(model)


def inferred(model: onnx.ModelProto) -> bytes:
    """Every shape that follows from the inputs', written anew."""
    del model.graph.value_info[:]
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    # An operator unknown here may be known to a backend; whoever cannot read the graph says so itself. Of sizes that
    # nothing can hold, inference lets its C++ errors through, which share no class with its own.
    with contextlib.suppress(shape_inference.InferenceError, ValueError, RuntimeError, MemoryError, OverflowError):
        model = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def widened(model: onnx.ModelProto) -> bool:
    """Turns every half-precision float of the graph into fp32, in place; whether there was any.

    A file may store its weights in fp16 (the published YOLOv5 v7.0 does): what is called fp32 must then be widened, and
    the reference with it. Types stand in tensors, in values and in attributes, those of branches and loops included.
    """
    found = False
    for tensor in _tensors(model):
        if tensor.data_type in HALVES:
            found = True
            name, array = tensor.name, numpy_helper.to_array(tensor).astype(numpy.float32)
            tensor.CopyFrom(numpy_helper.from_array(array, name))
    for graph in _graphs(model.graph):
        for value in [*graph.input, *graph.output, *graph.value_info]:
            if value.type.tensor_type.elem_type in HALVES:
                found = True
                value.type.tensor_type.elem_type = TensorProto.FLOAT
        for attribute in _attributes(graph):
            if attribute.name in {"to", "dtype"} and attribute.i in HALVES:
                found = True
                attribute.i = TensorProto.FLOAT
    return found


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph and, however deep, the bodies of its branches and loops."""
    yield graph
    for attribute in _attributes(graph):
        for body in [attribute.g] if attribute.HasField("g") else attribute.graphs:
            yield from _graphs(body)


def _attributes(graph: onnx.GraphProto) -> List[onnx.AttributeProto]:
    return [attribute for node in graph.node for attribute in node.attribute]


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    for graph in _graphs(model.graph):
        yield from graph.initializer
        yield from (attribute.t for attribute in _attributes(graph) if attribute.HasField("t"))


def words(dims: Sequence[onnx.TensorShapeProto.Dimension]) -> str:
    """`batch x 3 x ? x ?`."""
    return " x ".join(str(dim.dim_value) if dim.dim_value > 0 else dim.dim_param or "?" for dim in dims)


def _example(value: onnx.ValueInfoProto) -> str:
    dims = value.type.tensor_type.shape.dim
    usual = [1, 3, 640, 640] if len(dims) == 4 else [1] * len(dims)
    return "x".join(str(dim.dim_value if dim.dim_value > 0 else size) for dim, size in zip(dims, usual))
