"""The labels that every container, volume and image of ours carries; nothing without them is ever touched."""

from typing import Dict, List

PROJECT = "jetson-inference-harness"
ROLE, RUN, CELL, OWNER = (f"{PROJECT}.{name}" for name in ("role", "run", "cell", "owner"))
MEASURING = f"{PROJECT}-measuring"
"""Name of the container that holds a board: a name can be taken once."""
ENGINES, MODELS, TUNING = (f"{PROJECT}-{name}" for name in ("engines", "models", "tuning"))
"""Names of the volumes that stay."""


def labels(role: str, more: "Dict[str, str]" = {}) -> Dict[str, str]:  # noqa: B006 (only read)
    return {PROJECT: "1", ROLE: role, **more}


def of_cell(about: "Dict[str, str]") -> Dict[str, str]:
    """`run`, `cell` and `round` as labels."""
    return {f"{PROJECT}.{name}": value for name, value in about.items()}


def ours(role: str = "") -> Dict[str, List[str]]:
    """Docker's filter for what is ours."""
    return {"label": [PROJECT, f"{ROLE}={role}"] if role else [PROJECT]}
