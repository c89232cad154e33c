"""Says which packages can be imported here, which CUDA device there is, and where libraries are looked for."""

import ctypes
import importlib
import importlib.metadata
import os
from pathlib import Path
from typing import Dict, List, Tuple

from harness.jobs import Inspection, InspectJob, Package

DISTRIBUTIONS = {"tvm": "apache-tvm"}
"""Where a package is distributed under another name than it is imported by."""
NAME_BYTES = 256


def inspect(job: InspectJob) -> Inspection:
    device, reason = cuda_device()
    variables = {name: os.environ.get(name) for name in job.variables}
    missing: Dict[str, List[str]] = {}
    for name, value in variables.items():
        missing[name] = [part for part in (value or "").split(os.pathsep) if part and not Path(part).is_dir()]
    return Inspection(
        packages={name: package(name) for name in job.packages},
        cuda_device=device,
        cuda_reason=reason,
        variables=variables,
        missing=missing,
    )


def package(name: str) -> Package:
    """Really imports it: a runtime may be installed and still not load."""
    try:
        module = importlib.import_module(name)
    except Exception as error:  # of any kind, as a library that does not load brings them
        lines = str(error).strip().splitlines() or ["no message"]
        return Package(reason=f"{type(error).__name__}: {lines[0]}")
    version = getattr(module, "__version__", None) or getattr(module, "VERSION_TEXT", None)
    if version is None:
        try:
            version = importlib.metadata.version(DISTRIBUTIONS.get(name, name))
        except importlib.metadata.PackageNotFoundError:
            version = "unknown version"
    return Package(version=str(version))


def cuda_device() -> Tuple[str, str]:
    """(what the first CUDA device is, why there is none): asked of the driver itself, which every binding uses."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        return "", f"the CUDA driver cannot be loaded: {error}"
    code = driver.cuInit(0)
    if code:
        return "", f"cuInit answers with CUDA error {code}: {_error(driver, code)}"
    version, device, major, minor = (ctypes.c_int() for _ in range(4))
    name = ctypes.create_string_buffer(NAME_BYTES)
    code = (
        driver.cuDriverGetVersion(ctypes.byref(version))
        or driver.cuDeviceGet(ctypes.byref(device), 0)
        or driver.cuDeviceGetName(name, NAME_BYTES, device)
        or driver.cuDeviceGetAttribute(ctypes.byref(major), 75, device)  # ..._COMPUTE_CAPABILITY_MAJOR, cuda.h
        or driver.cuDeviceGetAttribute(ctypes.byref(minor), 76, device)
    )
    if code:
        return "", f"the first device answers with CUDA error {code}: {_error(driver, code)}"
    cuda = f"{version.value // 1000}.{version.value % 1000 // 10}"
    return f"{name.value.decode()}, compute capability {major.value}.{minor.value}, driver for CUDA {cuda}", ""


def _error(driver: ctypes.CDLL, code: int) -> str:
    text = ctypes.c_char_p()
    driver.cuGetErrorName(code, ctypes.byref(text))
    return (text.value or b"unknown").decode()
