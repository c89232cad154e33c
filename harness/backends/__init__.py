"""The registry of backends is this directory: one file per runtime, named after its import, `_` files left out."""

import importlib
from pathlib import Path
from typing import Dict, List

from harness.backends._contract import Backend


def names() -> List[str]:
    """Every backend's name, none of them imported."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def options(name: str) -> Dict[str, type]:
    """Names and types of the build options of its own that the backend `name` understands; starts no runtime."""
    return dict(get(name).options)


def variants(name: str) -> List[str]:
    """Names of the ways in which the backend `name` builds, its usual one first; none where there is one way only, or
    where only the board has that backend."""
    return list(get(name).variants) if name in names() else []


def compiles_for(name: str) -> bool:
    """Whether the backend `name` compiles for a target that a plan may name."""
    return name in names() and get(name).compiles_for


def get(name: str) -> Backend:
    """The backend `name`; its module is imported, its runtime is not until it is asked something."""
    if name not in names():
        raise KeyError(f"no backend {name!r}; there are {', '.join(names())}")
    backend: Backend = importlib.import_module(f"{__name__}.{name}").Backend()
    return backend
