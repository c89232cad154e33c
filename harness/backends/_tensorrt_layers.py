"""What an engine's layers run in and how many only change formats, from the engine inspector's JSON.

In detail, `Layers` are objects with `LayerType`, and `Inputs` and `Outputs` whose `Format/Datatype` ends or begins in a
data type: `Row major linear FP32`, `Thirty-two wide channel vectorized row major Int8 format`, `Half`.
"""

import json
import re
from typing import Any, Dict, List, NamedTuple, Optional

ARITHMETIC = re.compile(r"conv|gemm|matrixmultiply|fullyconnected|matmul", re.IGNORECASE)
REFORMAT = "Reformat"
OPAQUE = ("Myelin", "kgen", "DLA", "ForeignNode")
"""Layer types that hold a whole part of the network, whose inside the inspector does not show."""
PRECISIONS = {
    "fp32": re.compile(r"\b(FP32|Float)\b", re.IGNORECASE),
    "fp16": re.compile(r"\b(FP16|Half)\b", re.IGNORECASE),
    "bf16": re.compile(r"\b(BF16|BFloat16)\b", re.IGNORECASE),
    "int8": re.compile(r"\bInt8\b", re.IGNORECASE),
    "fp8": re.compile(r"\bFP8\b", re.IGNORECASE),
}


class Found(NamedTuple):
    executed: Dict[str, int]
    """Layers with arithmetic by the type of what they read."""
    reformats: Optional[int]
    """None where the inspector tells names alone."""
    note: str


def read(text: str) -> Found:
    """`text` is `get_engine_information(JSON)`; a text of another form yields nothing rather than a guess."""
    layers = _layers(text)
    if not layers:
        return Found({}, None, "")
    executed: Dict[str, int] = {}
    for layer in layers:
        if ARITHMETIC.search(str(layer.get("LayerType"))):
            precision = _precision(layer)
            executed[precision] = executed.get(precision, 0) + 1
    opaque = sum(str(layer.get("LayerType")).startswith(OPAQUE) for layer in layers)
    reformats = sum(layer.get("LayerType") == REFORMAT for layer in layers)
    note = f"{opaque} of {len(layers)} layers do not show what they hold" if opaque else ""
    return Found(executed, reformats, note)


def _layers(text: str) -> List[Dict[str, Any]]:
    try:
        layers = json.loads(text)["Layers"]
    except (ValueError, KeyError, TypeError):
        return []
    return [layer for layer in layers if isinstance(layer, dict)]


def _precision(layer: Dict[str, Any]) -> str:
    """By the first input: an int8 convolution reads int8, whatever it writes."""
    inputs = layer.get("Inputs") or [{}]
    form = str(inputs[0].get("Format/Datatype", "")) if isinstance(inputs[0], dict) else ""
    return next((name for name, pattern in PRECISIONS.items() if pattern.search(form)), "unknown")
