"""A plot as a part of an HTML page: only this module knows what has to change in an SVG file for that."""

import re
from typing import Dict, Set
from xml.etree import ElementTree

SVG, LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
REFERENCE = re.compile(r"(#|url\(#)([\w.-]+)(\)?)")
"""The whole of an attribute that names another element of the same file."""
LEFT_OUT = (f"{{{SVG}}}metadata", f"{{{SVG}}}style")
LEFT_OUT_OF_ROOT = ("width", "height", "version")


def inlined(svg: bytes, name: str) -> str:
    """The `svg` element of a plot, for a page that holds others: what names one of its own elements carries `name`.

    Left out are its metadata, its style sheet (it would hold for the whole page; the root says the same instead) and
    its size: the page decides that, and the shape stays.
    """
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in [one for one in parent if one.tag in LEFT_OUT]:
            parent.remove(child)
    found = [REFERENCE.fullmatch(value) for element in root.iter() for value in element.attrib.values()]
    named = {one.group(2) for one in found if one is not None}
    for element in root.iter():
        attributes = _own(dict(element.attrib), named, name)
        element.attrib.clear()
        element.attrib.update(attributes)
    for key in LEFT_OUT_OF_ROOT:
        root.attrib.pop(key, None)
    root.set("style", "stroke-linejoin: round; stroke-linecap: butt")
    ElementTree.register_namespace("", SVG)
    return ElementTree.tostring(root, encoding="unicode").strip()


def _own(attributes: Dict[str, str], named: Set[str], name: str) -> Dict[str, str]:
    """Of one element, with references that no other plot of the page has, and an id only where one leads to it."""
    found = {}
    for key, value in attributes.items():
        if key == "id":
            if value in named:
                found[key] = f"{name}-{value}"
            continue
        reference = REFERENCE.fullmatch(value)
        plain = key.replace(f"{{{LINK}}}", "")
        found[plain] = value if reference is None else f"{reference[1]}{name}-{reference[2]}{reference[3]}"
    return found
