"""An engine's inputs and outputs, by name from TensorRT 8.5 on, by number (bindings) before."""

from typing import Any, List, NamedTuple, Tuple

import numpy

from harness.errors import BuildError

TYPES = {"FLOAT": "float32", "HALF": "float16", "INT8": "int8", "INT32": "int32", "BOOL": "bool"}
TYPES.update({"UINT8": "uint8", "INT64": "int64"})
"""TensorRT's own `nptype` is not asked: in 8.x it names `numpy.bool`, which numpy has no longer."""


class Port(NamedTuple):
    """One input or output."""

    name: str
    is_input: bool
    shape: Tuple[int, ...]
    dtype: numpy.dtype


def by_name(engine: Any) -> bool:
    return hasattr(engine, "num_io_tensors")


def numpy_type(dtype: Any) -> numpy.dtype:
    """Of a `DataType`; BuildError for one that numpy has no equal of."""
    if dtype.name not in TYPES:
        raise BuildError(f"an input or output has the type {dtype.name}, which numpy has not; export it as fp32")
    return numpy.dtype(TYPES[dtype.name])


def ports(trt: Any, engine: Any, context: Any) -> List[Port]:
    """In the engine's order, which is that of the bindings; dynamic shapes are set to the profile's usual ones."""
    if by_name(engine):
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        inputs = [engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT for name in names]
        for name, is_input in zip(names, inputs):
            if is_input and -1 in tuple(engine.get_tensor_shape(name)):
                _set(context.set_input_shape(name, tuple(engine.get_tensor_profile_shape(name, 0)[1])), name)
        shapes = [tuple(context.get_tensor_shape(name)) for name in names]
        dtypes = [engine.get_tensor_dtype(name) for name in names]
    else:
        count = range(engine.num_bindings)
        names = [engine.get_binding_name(index) for index in count]
        inputs = [engine.binding_is_input(index) for index in count]
        for index in count:
            if inputs[index] and -1 in tuple(engine.get_binding_shape(index)):
                usual = tuple(engine.get_profile_shape(0, index)[1])
                _set(context.set_binding_shape(index, usual), names[index])
        shapes = [tuple(context.get_binding_shape(index)) for index in count]
        dtypes = [engine.get_binding_dtype(index) for index in count]
    for name, shape in zip(names, shapes):
        if -1 in shape:
            raise BuildError(
                f"the shape of {name} is {shape}: known only once the engine has run, which is not measured"
            )
    return [Port(*one) for one in zip(names, inputs, shapes, (numpy_type(dtype) for dtype in dtypes))]


def _set(done: bool, name: str) -> None:
    if not done:
        raise BuildError(f"the engine refuses its own profile's shape of {name}")
