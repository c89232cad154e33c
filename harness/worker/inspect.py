"""Says which packages can be imported here, which CUDA device there is, and where libraries are looked for."""

import importlib
import importlib.metadata
import os
from pathlib import Path
from typing import Dict, List

from harness.device import present
from harness.errors import Unsupported
from harness.jobs import Inspection, InspectJob, Package

DISTRIBUTIONS = {"tvm": "apache-tvm"}
"""Where a package is distributed under another name than it is imported by."""


def inspect(job: InspectJob) -> Inspection:
    try:
        device, reason = str(present()), ""
    except Unsupported as error:
        device, reason = "", str(error)
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
