"""A plot as a part of an HTML page: only this module knows what has to change in an SVG file for that."""

import re
from typing import Dict, List, Set
from xml.etree import ElementTree

SVG, LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
REFERENCE = re.compile(r"(?<=url\(#)[\w.-]+(?=\))|(?<=^#)[\w.-]+$")
"""The name of another element of the same file: `#m` as the whole of a link, `url(#m)` anywhere."""
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
    named = {one for element in root.iter() for key, value in element.attrib.items() for one in _named(key, value)}
    for element in root.iter():
        attributes = _own(dict(element.attrib), named, name)
        element.attrib.clear()
        element.attrib.update(attributes)
    for key in LEFT_OUT_OF_ROOT:
        root.attrib.pop(key, None)
    root.set("style", "stroke-linejoin: round; stroke-linecap: butt")
    ElementTree.register_namespace("", SVG)
    return ElementTree.tostring(root, encoding="unicode").strip()


def _named(key: str, value: str) -> List[str]:
    return [] if key == "id" else REFERENCE.findall(value)


def _own(attributes: Dict[str, str], named: Set[str], name: str) -> Dict[str, str]:
    """Of one element, with references that no other plot of the page has, and an id only where one leads to it."""
    found = {}
    for key, value in attributes.items():
        if key != "id":
            found[key.replace(f"{{{LINK}}}", "")] = REFERENCE.sub(lambda one: f"{name}-{one.group()}", value)
        elif value in named:
            found[key] = f"{name}-{value}"
    return found
