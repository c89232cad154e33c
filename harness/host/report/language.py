"""The language a report is written in: only this module knows where translations come from.

Texts stand in the code and in the template in English, as whole sentences. `_` and `ngettext` give them in the language
that `written_in` has entered, from `locale/<code>.po`, and in English outside of it. Placeholders have names,
`%(name)s`, so that a translator can move them; a per cent sign is written `%%`. Figures come here as they are printed.
"""

import contextlib
import gettext
import io
from contextvars import ContextVar
from pathlib import Path
from typing import Iterator, List, NamedTuple

from harness.errors import PlanError

LOCALES = Path(__file__).parent / "locale"
ENGLISH = "en"


class Language(NamedTuple):
    code: str
    texts: gettext.NullTranslations


IN_ENGLISH = Language(ENGLISH, gettext.NullTranslations())
_current: "ContextVar[Language]" = ContextVar("language", default=IN_ENGLISH)


def known() -> List[str]:
    """Codes of all languages, English first."""
    return [ENGLISH, *sorted(path.stem for path in LOCALES.glob("*.po"))]


@contextlib.contextmanager
def written_in(code: str) -> Iterator[None]:
    """Every text that is made inside is in this language."""
    before = _current.set(_read(code))
    try:
        yield
    finally:
        _current.reset(before)


def current() -> str:
    """Code of the language that is written now."""
    return _current.get().code


def _(text: str, **values: object) -> str:
    """`text` in the language, with its placeholders filled in."""
    return found(text) % values


def ngettext(one: str, many: str, number: int, **values: object) -> str:
    """As `_`, with the form that the language has for so many."""
    return found_plural(one, many, number) % values


def N_(text: str) -> str:
    """`text` itself: marks one that is looked up elsewhere."""
    return text


def found(text: str) -> str:
    """As `_`, placeholders and all: for Jinja2, which fills them in itself."""
    return _current.get().texts.gettext(text)


def found_plural(one: str, many: str, number: int) -> str:
    return _current.get().texts.ngettext(one, many, number)


def _read(code: str) -> Language:
    if code == ENGLISH:
        return IN_ENGLISH
    if code not in known():
        raise PlanError(f"no report is written in {code!r}; languages are {', '.join(known())}")
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = io.BytesIO()
    with (LOCALES / f"{code}.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale=code))
    compiled.seek(0)
    return Language(code, gettext.GNUTranslations(compiled))
