"""Device memory in the words of DLPack, so that other runtimes use it in place.

The structures are those of dlpack.h, version 0 of the protocol, which every consumer takes. There is no deleter: the
memory belongs to its tensor, and so does the description.
"""

import ctypes
from typing import Any, Sequence

import numpy

CUDA = 2
"""kDLCUDA, also for mapped and managed memory: kernels reach it by a device address, and compiled code checks this."""
NAME = b"dltensor"
CODES = {"i": 0, "u": 1, "f": 2, "b": 6}
"""numpy's kind of a type to DLDataTypeCode."""


class _Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


class Described(ctypes.Structure):
    """DLManagedTensor; whoever made it keeps it as long as anybody reads it."""

    _fields_ = [("tensor", _Tensor), ("manager", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]


def describe(address: int, shape: Sequence[int], dtype: numpy.dtype, index: int) -> Described:
    dimensions = (ctypes.c_int64 * len(shape))(*shape)
    tensor = _Tensor(
        data=address,
        device_type=CUDA,
        device_id=index,
        ndim=len(shape),
        code=CODES[dtype.kind],
        bits=dtype.itemsize * 8,
        lanes=1,
        shape=dimensions,  # ctypes keeps it alive with the structure
        strides=None,
    )
    return Described(tensor=tensor)


def capsule(described: Described) -> Any:
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    return new(ctypes.addressof(described), NAME, None)
