"""What to do about a CUDA error, and finding one in what a runtime says. Pure: needs no CUDA."""

import re
from typing import Dict, Optional

from harness.errors import DeviceError

OUT_OF_MEMORY = "CUDA_ERROR_OUT_OF_MEMORY"
_BROKEN = "the device failed under this process; see what `dmesg` says of it, then run again with RETRY=crashed"
_BUSY = (
    "another process has it for itself: end that, or lift the compute mode (`nvidia-smi -c DEFAULT`), then run again"
)
_GONE = "the device is gone or its driver does not answer; see `dmesg`, then run again with RETRY=crashed"
ADVICE: Dict[str, str] = {
    OUT_OF_MEMORY: "too little device memory is free: end what else uses the device, or take a smaller batch or model",
    "CUDA_ERROR_NO_DEVICE": _GONE,
    "CUDA_ERROR_INVALID_DEVICE": _GONE,
    "CUDA_ERROR_DEVICE_UNAVAILABLE": _BUSY,
    "CUDA_ERROR_CONTEXT_ALREADY_IN_USE": _BUSY,
    "CUDA_ERROR_MPS_MAX_CLIENTS_REACHED": _BUSY,
    "CUDA_ERROR_MPS_CONNECTION_FAILED": "the MPS server does not answer: start it, or unset CUDA_MPS_PIPE_DIRECTORY",
    "CUDA_ERROR_SYSTEM_NOT_READY": _GONE,
    "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH": "kernel module and CUDA driver are of two versions: restart the machine",
    "CUDA_ERROR_ECC_UNCORRECTABLE": _BROKEN,
    "CUDA_ERROR_NVLINK_UNCORRECTABLE": _BROKEN,
    "CUDA_ERROR_CONTAINED": _BROKEN,
    "CUDA_ERROR_HARDWARE_STACK_ERROR": _BROKEN,
    "CUDA_ERROR_EXTERNAL_DEVICE": _BROKEN,
    "CUDA_ERROR_CONTEXT_IS_DESTROYED": _BROKEN,
    "CUDA_ERROR_LAUNCH_FAILED": _BROKEN,
    "CUDA_ERROR_LAUNCH_TIMEOUT": "a kernel ran longer than the display's limit on this device allows: stop the display",
    "CUDA_ERROR_ILLEGAL_ADDRESS": "a kernel of the engine read or wrote outside its memory: an error of its builder",
    "CUDA_ERROR_ILLEGAL_INSTRUCTION": "a kernel of the engine is broken: an error of its builder",
    "CUDA_ERROR_MISALIGNED_ADDRESS": "a kernel of the engine read across an alignment: an error of its builder",
    "CUDA_ERROR_ASSERT": "a kernel of the engine found its inputs wrong",
    "CUDA_ERROR_NO_BINARY_FOR_GPU": "the engine holds no code for this device: build it here",
    "CUDA_ERROR_INVALID_IMAGE": "the engine's code is for another CUDA: build it here",
    "CUDA_ERROR_UNSUPPORTED_PTX_VERSION": "the engine's code is for a newer CUDA than this driver: build it here",
    "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED": "this engine does what a CUDA graph cannot hold: leave cuda_graph off",
    "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED": "this engine does what a CUDA graph cannot hold: leave cuda_graph off",
    "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT": "this engine uses the default stream: leave cuda_graph off",
    "CUDA_ERROR_UNKNOWN": _GONE,
}
RUNTIME_NAMES: Dict[str, str] = {
    "cudaErrorMemoryAllocation": OUT_OF_MEMORY,
    "cudaErrorNoDevice": "CUDA_ERROR_NO_DEVICE",
    "cudaErrorDevicesUnavailable": "CUDA_ERROR_DEVICE_UNAVAILABLE",
    "cudaErrorECCUncorrectable": "CUDA_ERROR_ECC_UNCORRECTABLE",
    "cudaErrorHardwareStackError": "CUDA_ERROR_HARDWARE_STACK_ERROR",
    "cudaErrorContextIsDestroyed": "CUDA_ERROR_CONTEXT_IS_DESTROYED",
    "cudaErrorLaunchFailure": "CUDA_ERROR_LAUNCH_FAILED",
    "cudaErrorLaunchTimeout": "CUDA_ERROR_LAUNCH_TIMEOUT",
    "cudaErrorIllegalAddress": "CUDA_ERROR_ILLEGAL_ADDRESS",
    "cudaErrorIllegalInstruction": "CUDA_ERROR_ILLEGAL_INSTRUCTION",
    "cudaErrorMisalignedAddress": "CUDA_ERROR_MISALIGNED_ADDRESS",
    "cudaErrorAssert": "CUDA_ERROR_ASSERT",
    "cudaErrorNoKernelImageForDevice": "CUDA_ERROR_NO_BINARY_FOR_GPU",
    "cudaErrorUnsupportedPtxVersion": "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
    "cudaErrorStreamCaptureUnsupported": "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
    "cudaErrorStreamCaptureInvalidated": "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED",
    "cudaErrorStreamCaptureImplicit": "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT",
    "cudaErrorUnknown": "CUDA_ERROR_UNKNOWN",
}
"""The runtime API's names (driver_types.h), which TVM and TensorRT print, by the driver's."""
_NAMES = re.compile(r"CUDA_ERROR_[A-Z_]+|cudaError[A-Z]\w+")


def device_error(name: str, doing: str) -> DeviceError:
    """`doing` is what was refused: the CUDA routine, or what the harness was about."""
    advice = ADVICE.get(name)
    return DeviceError(f"{doing}: {name}" + (f"; {advice}" if advice else ""), name)


def device_error_in(text: str, doing: str) -> Optional[DeviceError]:
    """The first CUDA error that a runtime's message names, or None."""
    for found in _NAMES.findall(text):
        name = RUNTIME_NAMES.get(found, found)
        if name in ADVICE:
            return device_error(name, doing)
    if re.search(r"Cuda Runtime \(out of memory\)|CUDA.*\bout of memory\b", text):
        return device_error(OUT_OF_MEMORY, doing)
    return None
