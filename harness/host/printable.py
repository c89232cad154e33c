"""Words from elsewhere as a terminal may be shown them: a control character in them would act on it."""


def printable(text: str) -> str:
    """Line breaks and tabs stay; what else does not print stands there as Python would write it."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in "\n\t" else one.encode("unicode_escape").decode() for one in text)
