"""A report as one HTML file that opens without network: only this module knows HTML and the parser of Markdown.

What the Markdown holds as HTML is shown as text, a picture that is none of the report's plots as its description.
Nothing is loaded from anywhere, and the page's own policy forbids it to the browser.
"""

import html
from pathlib import Path
from typing import Dict, List, Mapping, NamedTuple, Sequence
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

from harness.host.report import badges, footnotes, language, picture, sections
from harness.host.report.language import _
from harness.host.report.templating import TEMPLATES, environment

PAGE, STYLE = "page.html.j2", "page.css"


class Heading(NamedTuple):
    level: int
    text: str
    anchor: str


def page(text: str, plots: Mapping[str, bytes]) -> str:
    """The Markdown `text` as a page; `plots` are SVG files by the names that it has for them."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(text)
    headings = _anchored(tokens)
    footnotes.link(tokens)
    badges.put(tokens)
    body = parser.renderer.render(_figures(_scrolling(tokens), plots), parser.options, {})
    template = environment(autoescape=True).get_template(PAGE)
    return template.render(
        code=language.current(),
        title=headings[0].text if headings else "",
        contents=[heading for heading in headings if heading.level > 1],
        contents_label=_("Contents"),
        style=(TEMPLATES / STYLE).read_text(encoding="utf-8"),
        body=body,
    )


def _anchored(tokens: Sequence[Token]) -> List[Heading]:
    """All headings; each has an anchor now, and its text leads there."""
    found: List[Heading] = []
    taken: Dict[str, int] = {}
    for opened, inline in zip(tokens, tokens[1:]):
        if opened.type != "heading_open":
            continue
        plain = "".join(child.content for child in inline.children or [])
        anchor = sections.anchor(plain)
        taken[anchor] = taken.get(anchor, -1) + 1
        if taken[anchor]:
            anchor += f"-{taken[anchor]}"
        opened.attrSet("id", anchor)
        link = Token("link_open", "a", 1, attrs={"href": f"#{anchor}"})
        inline.children = [link, *(inline.children or []), Token("link_close", "a", -1)]
        found.append(Heading(int(opened.tag[1:]), plain, anchor))
    return found


def _scrolling(tokens: Sequence[Token]) -> List[Token]:
    """Each table within an element of its own, which scrolls where the table is wider than the page."""
    shown: List[Token] = []
    for token in tokens:
        if token.type == "table_open":
            shown.append(_raw('<div class="wide" tabindex="0">\n'))
        shown.append(token)
        if token.type == "table_close":
            shown.append(_raw("</div>\n"))
    return shown


def _figures(tokens: Sequence[Token], plots: Mapping[str, bytes]) -> List[Token]:
    """A plot in place of the paragraph that shows it; of any other picture its words."""
    shown: List[Token] = []
    for token in tokens:
        children = token.children or []
        source = unquote(str(children[0].attrs["src"])) if [one.type for one in children] == ["image"] else ""
        if source in plots:
            shown[-1].hidden = True  # the paragraph around it, which cannot hold a figure
            shown.append(_raw(_figure(children[0].content, source, plots[source])))
            continue
        if shown and shown[-1].type == "html_block" and token.type == "paragraph_close":
            token.hidden = True
        for child in children:
            if child.type == "image":
                child.type, child.tag, child.children = "text", "", None
        shown.append(token)
    return shown


def _figure(said: str, source: str, svg: bytes) -> str:
    drawn = picture.inlined(svg, Path(source).stem.replace(".", "-"))
    words = html.escape(said)
    drawn = drawn.replace("<svg ", f'<svg role="img" aria-label="{words}" ', 1)
    return f'<figure>\n<div class="wide" tabindex="0">{drawn}</div>\n<figcaption>{words}</figcaption>\n</figure>\n'


def _raw(text: str) -> Token:
    return Token("html_block", "", 0, content=text)
