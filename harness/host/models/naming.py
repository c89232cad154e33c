"""How a model is named: a name of models/, with a size where it is generated, or the path of a file."""

from pathlib import Path


def is_file(reference: str) -> bool:
    return reference.endswith(".onnx") or "/" in reference


def label(reference: str) -> str:
    """What a model is called in results: a file by its name alone, since paths are nobody else's business."""
    return Path(reference).stem if is_file(reference) else reference
