"""The CUDA driver's own C library, for what the bindings lack: whether there is a device, and the names of errors."""

import ctypes
import functools
from typing import Dict, NamedTuple, Tuple

from harness.device._words import device_error
from harness.errors import Unsupported

MAJOR, MINOR = 75, 76
"""CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR, cuda.h."""
NAME_BYTES = 256
LAST_CODE = 999
"""CUDA_ERROR_UNKNOWN, the highest."""


class Presence(NamedTuple):
    """What the driver says of a device, asked without a context on it: nothing of the device is taken."""

    name: str
    compute_capability: Tuple[int, int]
    driver: str
    """The newest CUDA that the driver knows: `11.4`."""

    def __str__(self) -> str:
        major, minor = self.compute_capability
        return f"{self.name}, compute capability {major}.{minor}, driver for CUDA {self.driver}"


@functools.lru_cache(maxsize=None)
def library() -> ctypes.CDLL:
    """Raises OSError where there is no driver."""
    return ctypes.CDLL("libcuda.so.1")


def present(index: int = 0) -> Presence:
    """Raises Unsupported with the reason where there is no such device."""
    try:
        driver = library()
    except OSError as error:
        raise Unsupported(f"the CUDA driver cannot be loaded: {error}") from error
    code = driver.cuInit(0)
    if code:
        raise Unsupported(f"no CUDA device here: cuInit answers {error_name(code)}")
    version, device, major, minor = (ctypes.c_int() for _ in range(4))
    name = ctypes.create_string_buffer(NAME_BYTES)
    code = (
        driver.cuDriverGetVersion(ctypes.byref(version))
        or driver.cuDeviceGet(ctypes.byref(device), index)
        or driver.cuDeviceGetName(name, NAME_BYTES, device)
        or driver.cuDeviceGetAttribute(ctypes.byref(major), MAJOR, device)
        or driver.cuDeviceGetAttribute(ctypes.byref(minor), MINOR, device)
    )
    if code:
        raise Unsupported(f"no CUDA device {index} here: the driver answers {error_name(code)}")
    release = f"{version.value // 1000}.{version.value % 1000 // 10}"
    return Presence(name.value.decode(), (major.value, minor.value), release)


def check(code: int, routine: str) -> None:
    """Raises DeviceError unless `code` is success."""
    if code:
        raise device_error(error_name(code), routine)


def error_name(code: int) -> str:
    text = ctypes.c_char_p()
    library().cuGetErrorName(code, ctypes.byref(text))
    return text.value.decode() if text.value else f"CUDA error {code}"


def name_of(text: str) -> str:
    """The name of the error that the driver describes by `text`, for pycuda, which keeps the description alone."""
    return _names().get(text, "")


@functools.lru_cache(maxsize=None)
def _names() -> Dict[str, str]:
    driver, found = library(), {}
    for code in range(1, LAST_CODE + 1):
        text = ctypes.c_char_p()
        driver.cuGetErrorString(code, ctypes.byref(text))
        if text.value:
            found[text.value.decode()] = error_name(code)
    return found
