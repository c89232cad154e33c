"""Sets Jinja2 up for the report's templates: what its page and its Markdown have in common."""

from pathlib import Path
from typing import Sequence

import jinja2

TEMPLATES = Path(__file__).parent / "templates"


def environment(autoescape: bool, extensions: Sequence[str] = ()) -> jinja2.Environment:
    """A template that names what it was not given is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(TEMPLATES)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=autoescape,
        extensions=list(extensions),
    )
