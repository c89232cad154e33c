"""Finds the Python module of TensorRT or TensorRT-RTX, and says why it cannot be imported and what cures it."""

import importlib
import importlib.util
import re
import sys
from typing import Any, Tuple

from harness.errors import Unsupported

CAUSES: Tuple[Tuple[str, str], ...] = (
    (
        r"libnvdla_compiler\.so",
        "libnvdla_compiler.so belongs to the board's own system and is not there: in a container the runtime `nvidia` "
        "brings it; on a JetPack 6 board install nvidia-l4t-dla-compiler; JetPack 7.2 has none, take an image made for "
        "that JetPack",
    ),
    (
        r"file too short",
        "an empty placeholder lies where the board's library belongs: start the container with the runtime `nvidia`, "
        "and install on the board the package that the library is from",
    ),
    (
        r"static TLS",
        "a library came too late to be loaded: name it in LD_PRELOAD when the interpreter is started",
    ),
    (r"libcuda\.so", "there is no NVIDIA driver to be seen here; in a container the runtime `nvidia` brings it"),
    (
        r"GLIBC(XX)?_|CXXABI_",
        "it was built for a newer system than this one: take the image of the board's own JetPack",
    ),
    (
        r"cannot open shared object file",
        "a library that it stands on is not installed: take the image of the board's own JetPack",
    ),
)
"""What the loader's message holds, and what that means; the first that fits."""


def load(*names: str) -> Any:
    """The first module of `names` that is installed; raises Unsupported with cause and cure where none can be had."""
    running = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
    name = next(filter(_installed, names), None)
    if name is None:
        raise Unsupported(f"{names[0]} is not installed for {running}")
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:
        raise Unsupported(f"{name} is installed for {running} and cannot be imported: {in_words(error)}") from error


def _installed(name: str) -> bool:
    found = importlib.util.find_spec(name)
    return found is not None and found.origin is not None  # type stubs alone are found too, as a package of nothing


def in_words(error: BaseException) -> str:
    """The loader's message, and the cause and cure of the ones that are known."""
    text = " ".join(str(error).split())
    for pattern, meaning in CAUSES:
        if re.search(pattern, text):
            return f"{text}: {meaning}"
    return text
