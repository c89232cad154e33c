"""CUDA through NVIDIA's cuda-python, which needs no compiler to install: where pycuda is not there."""

import ctypes
from typing import Any

import numpy

from harness.device._binding import Allocation
from harness.device._captures import Captures
from harness.device._words import device_error

try:
    from cuda.bindings import driver as cuda
except ImportError:  # before 12.7 the module had this name
    from cuda import cuda


class CudaPython(Captures):
    def __init__(self, index: int) -> None:
        _done("cuInit", cuda.cuInit(0))
        self._device = device = _done("cuDeviceGet", cuda.cuDeviceGet(index))
        self.name = _done("cuDeviceGetName", cuda.cuDeviceGetName(256, device)).split(b"\0")[0].decode()
        names = cuda.CUdevice_attribute
        major = self._attribute(names.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
        self.compute_capability = (major, self._attribute(names.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR))
        self.integrated = bool(self._attribute(names.CU_DEVICE_ATTRIBUTE_INTEGRATED))
        self.total_bytes = int(_done("cuDeviceTotalMem", cuda.cuDeviceTotalMem(device)))
        context = _done("cuDevicePrimaryCtxRetain", cuda.cuDevicePrimaryCtxRetain(device))
        _done("cuCtxPushCurrent", cuda.cuCtxPushCurrent(context))

    def _attribute(self, which: Any) -> int:
        return int(_done("cuDeviceGetAttribute", cuda.cuDeviceGetAttribute(which, self._device)))

    def free_bytes(self) -> int:
        return int(_done("cuMemGetInfo", cuda.cuMemGetInfo())[0])

    def allocate(self, kind: str, nbytes: int) -> Allocation:
        if kind == "device":
            pointer = int(_done("cuMemAlloc", cuda.cuMemAlloc(nbytes)))
            return Allocation(pointer, nbytes, None, pointer)
        if kind == "managed":
            flags = cuda.CUmemAttach_flags.CU_MEM_ATTACH_GLOBAL.value
            pointer = int(_done("cuMemAllocManaged", cuda.cuMemAllocManaged(nbytes, flags)))
            return Allocation(pointer, nbytes, _bytes_at(pointer, nbytes), pointer)
        mapped = cuda.CU_MEMHOSTALLOC_DEVICEMAP if kind == "mapped" else 0
        pointer = int(_done("cuMemHostAlloc", cuda.cuMemHostAlloc(nbytes, mapped)))
        address = int(_done("cuMemHostGetDevicePointer", cuda.cuMemHostGetDevicePointer(pointer, 0)))
        return Allocation(address, nbytes, _bytes_at(pointer, nbytes), pointer)

    def free(self, kind: str, allocation: Allocation) -> None:
        if kind in ("device", "managed"):
            _done("cuMemFree", cuda.cuMemFree(allocation.owner))
        else:
            _done("cuMemFreeHost", cuda.cuMemFreeHost(allocation.owner))

    def attach(self, allocation: Allocation, stream: Any) -> None:
        single = cuda.CUmemAttach_flags.CU_MEM_ATTACH_SINGLE.value
        _done("cuStreamAttachMemAsync", cuda.cuStreamAttachMemAsync(stream, allocation.owner, 0, single))

    def copy_to_device(self, address: int, source: Allocation, stream: Any) -> None:
        _done("cuMemcpyHtoDAsync", cuda.cuMemcpyHtoDAsync(address, source.owner, source.nbytes, stream))

    def copy_to_host(self, target: Allocation, address: int, stream: Any) -> None:
        _done("cuMemcpyDtoHAsync", cuda.cuMemcpyDtoHAsync(target.owner, address, target.nbytes, stream))

    def make_stream(self) -> Any:
        flags = cuda.CUstream_flags.CU_STREAM_NON_BLOCKING.value
        return _done("cuStreamCreate", cuda.cuStreamCreate(flags))

    def stream_handle(self, stream: Any) -> int:
        return int(stream)

    def synchronize_stream(self, stream: Any) -> None:
        _done("cuStreamSynchronize", cuda.cuStreamSynchronize(stream))

    def free_stream(self, stream: Any) -> None:
        _done("cuStreamDestroy", cuda.cuStreamDestroy(stream))

    def make_event(self) -> Any:
        return _done("cuEventCreate", cuda.cuEventCreate(cuda.CUevent_flags.CU_EVENT_DEFAULT.value))

    def record_event(self, event: Any, stream: Any) -> None:
        _done("cuEventRecord", cuda.cuEventRecord(event, stream))

    def wait_event(self, stream: Any, event: Any) -> None:
        _done("cuStreamWaitEvent", cuda.cuStreamWaitEvent(stream, event, 0))

    def synchronize_event(self, event: Any) -> None:
        _done("cuEventSynchronize", cuda.cuEventSynchronize(event))

    def elapsed_ms(self, since: Any, event: Any) -> float:
        return float(_done("cuEventElapsedTime", cuda.cuEventElapsedTime(since, event)))

    def free_event(self, event: Any) -> None:
        _done("cuEventDestroy", cuda.cuEventDestroy(event))

    def close(self) -> None:
        _done("cuCtxPopCurrent", cuda.cuCtxPopCurrent())
        _done("cuDevicePrimaryCtxRelease", cuda.cuDevicePrimaryCtxRelease(self._device))


def _done(routine: str, answer: Any) -> Any:
    """What a call gives beside its status: nothing, one value or a list; DeviceError where it failed."""
    status, *values = answer
    if status != cuda.CUresult.CUDA_SUCCESS:
        raise device_error(status.name, routine)
    return values[0] if len(values) == 1 else values


def _bytes_at(pointer: int, nbytes: int) -> numpy.ndarray:
    return numpy.ctypeslib.as_array((ctypes.c_uint8 * nbytes).from_address(pointer))
