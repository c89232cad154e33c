"""What an error says, without the folders of this machine: reasons stand in reports, and reports get published."""

import sys
from pathlib import Path

import msgspec

from harness.records import Record


def reason(error: BaseException, job: Record) -> str:
    """The error's words; parsers name the whole path of a file, of which only its name is anybody's business."""
    text = str(error)
    named = [Path(value) for value in msgspec.structs.asdict(job).values() if isinstance(value, str)]
    for folder in sorted({path.parent for path in named if path.is_absolute()}, key=lambda one: -len(one.parts)):
        if len(folder.parts) > 1:
            text = text.replace(f"{folder}/", "")
    for folder, name in ((Path(sys.prefix), "<python>"), (Path.home(), "~")):
        if len(folder.parts) > 1:
            text = text.replace(f"{folder}/", f"{name}/")
    return text
