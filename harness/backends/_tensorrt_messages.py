"""Keeps what TensorRT says while it works, and makes the sentence of a failure out of it."""

import re
import sys
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from harness.device import device_error_in
from harness.errors import DeviceError

ERRORS, KEPT = ("INTERNAL_ERROR", "ERROR"), ("INTERNAL_ERROR", "ERROR", "WARNING")
NO_MEMORY = re.compile(r"out ?of ?memory|insufficient memory|could not be allocated", re.IGNORECASE)
"""As the builder has it in several versions; a failed build then ends with `could not find any implementation`, which
reads as if the model were wrong."""
WHERE = re.compile(r"^(?:\d+: )?(?:\[?[\w./]+\.(?:cpp|h)(?:::?\w+)*\]?:?\s*)+")
"""`2: [virtualMemoryBuffer.cpp::resizePhysical::145]`, which helps nobody but its authors."""
UNKNOWN = re.compile(r"Plugin not found|No importer registered|UNSUPPORTED_NODE$", re.IGNORECASE)
CEILINGS: Tuple[Tuple[Tuple[int, int], int], ...] = (((8, 4), 17), ((10, 0), 20), ((10, 13), 24), ((11, 0), 25))
"""Newest ONNX opset that the parser reads, from a version on; for words only: whether it parses says the parser."""


class Failed(NamedTuple):
    """A node that the parser could not take."""

    position: int
    operator: str
    name: str
    text: str
    unknown: bool
    """The operator itself is not known, rather than this use of it."""


class Messages:
    """`logger` is what TensorRT's classes take; errors and warnings are kept, and printed into the worker's log.

    One for a process, see `messages`: TensorRT keeps the first logger it is given and ignores every later one.
    """

    def __init__(self, trt: Any) -> None:
        said: List[Tuple[str, str]] = []
        self._said = said

        class Logger(trt.ILogger):  # type: ignore[misc]
            def __init__(self) -> None:
                trt.ILogger.__init__(self)  # the binding asks for it by name

            def log(self, severity: Any, message: str) -> None:
                if severity.name in KEPT:
                    said.append((severity.name, message))
                    print(f"{trt.__name__} {severity.name.lower()}: {message}", file=sys.stderr)

        self.logger = Logger()

    def forget(self) -> None:
        self._said.clear()

    def errors(self) -> List[str]:
        """In the order they came, without the places in NVIDIA's sources; a repetition once."""
        return list(dict.fromkeys(plain(text) for severity, text in self._said if severity in ERRORS))

    def out_of_memory(self) -> bool:
        return any(NO_MEMORY.search(text) for _, text in self._said)

    def sentence(self) -> str:
        """The first error, or that there was none."""
        errors = self.errors()
        return errors[0] if errors else "it gives no reason"

    def refused(self, what: str) -> DeviceError:
        """The device would not do `what`: by the CUDA error that TensorRT named, where it named one."""
        for text in self.errors():
            known = device_error_in(text, f"TensorRT could not {what}")
            if known is not None:
                return known
        return DeviceError(f"TensorRT could not {what}: {self.sentence()}")


def messages(trt: Any) -> Messages:
    """The process's own, emptied: what is in it afterwards was said since."""
    kept = _OF.get(trt)
    if kept is None:
        kept = _OF[trt] = Messages(trt)
    kept.forget()
    return kept


_OF: Dict[Any, Messages] = {}


def plain(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return WHERE.sub("", " ".join(lines)) or text


def failed_nodes(parser: Any, nodes: Sequence[Any]) -> List[Failed]:
    """What the parser did not take; `nodes` are the graph's, by which versions before 10 name the culprit."""
    found = []
    for index in range(parser.num_errors):
        parser_error = parser.get_error(index)
        position = parser_error.node()
        node = nodes[position] if 0 <= position < len(nodes) else None
        operator = (
            parser_error.node_operator() if hasattr(parser_error, "node_operator") else node.op_type if node else ""
        )
        name = parser_error.node_name() if hasattr(parser_error, "node_name") else node.name if node else ""
        text, code = plain(parser_error.desc()), str(parser_error.code())
        found.append(Failed(position, operator, name, text, bool(UNKNOWN.search(text) or UNKNOWN.search(code))))
    return found


def not_parsed(product: str, version: str, model: str, opset: int, failed: Sequence[Failed], otherwise: str) -> str:
    """Why a model was not parsed, and what to do; `otherwise` where the parser names no node."""
    heads = [_head(one) for one in failed if one.operator]
    text = f"{product} {version} cannot parse {model}: {'; '.join(dict.fromkeys(heads)) or otherwise}"
    ceiling = newest_opset(version)
    if ceiling is not None and opset > ceiling:
        return (
            f"{text}. The model has opset {opset}, this version reads up to {ceiling}: export it again with that: "
            f"torch.onnx.export(..., opset_version={ceiling}), or for YOLOv5 python export.py --include onnx "
            f"--opset {ceiling}"
        )
    if any(one.unknown for one in failed):
        return f"{text}. Export the model without it, or give its plugin's library to TensorRT"
    return text


def _head(one: Failed) -> str:
    where = f"node {one.position}" + (f" ({one.name})" if one.name else "")
    if one.unknown:
        return f"there is no operator {one.operator}, {where}"
    return f"operator {one.operator}, {where}: {one.text}"


def newest_opset(version: str) -> Optional[int]:
    """None for a version that nothing is known of, TensorRT-RTX's own numbers among them."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None:
        return None
    here = (int(numbers.group(1)), int(numbers.group(2)))
    known = [ceiling for since, ceiling in CEILINGS if here >= since]
    return known[-1] if known else None
