"""The report as one HTML file: nothing to load, nothing of the data taken for HTML, and every link leads somewhere."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import pytest

from harness.host import report
from harness.host.report import badges, page, picture
from tests import many_sided_run
from tests.test_report_boards import ORT, TVM, several
from tests.test_report_boards import five as of_board

VOID = {"meta", "link", "br", "hr", "img", "input", "col"}
LOADING = {"src", "href", "srcset", "data", "poster", "background", "action", "formaction", "xlink:href", "manifest"}
Attributes = List[Tuple[str, Optional[str]]]


class Parsed(HTMLParser):
    """Fails where an element is not closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: List[Tuple[str, Dict[str, str]]] = []
        self.text: List[str] = []
        self._open: List[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text.append(data)

    def all(self, tag: str) -> List[Dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = many_sided_run.write(tmp_path_factory.mktemp("page") / "run")
    return report.write(folder).page.read_text(encoding="utf-8")


def test_it_loads_nothing_and_its_own_policy_says_so(written: str) -> None:
    parsed = Parsed(written)
    for tag, attributes in parsed.elements:
        for name in LOADING & set(attributes):
            assert tag == "a" or attributes[name].startswith(("#", "data:")), (tag, name, attributes[name])
    tags = {tag for tag, _ in parsed.elements}
    assert not tags & {"script", "iframe", "object", "embed", "img", "audio", "video", "form", "base"}
    assert not any(name.startswith("on") for _, attributes in parsed.elements for name in attributes)
    style = re.search(r"<style>(.*?)</style>", written, re.DOTALL)
    assert style is not None
    assert not re.search(r"@import|url\(", style.group(1))
    (policy,) = (one["content"] for one in parsed.all("meta") if "http-equiv" in one)
    assert policy.startswith("default-src 'none';")


def test_what_the_data_holds_as_html_is_shown_as_text(written: str) -> None:
    assert "<script" not in written
    said = "".join(Parsed(written).text)
    assert said.count("<script src=") >= 2, "of the title and of a cell"
    assert "http://example.org/x.png" not in written, "a picture of the data is its words"


def test_links_lead_to_what_there_is_and_no_two_things_have_one_name(written: str) -> None:
    parsed = Parsed(written)
    names = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(names) == len(set(names))
    led = {value[1:] for _, attributes in parsed.elements for value in attributes.values() if value.startswith("#")}
    led |= set(re.findall(r"url\(#(.*?)\)", written))
    assert led <= set(names)
    assert len(led) > 20, "headings, markers and clipped areas"


def test_the_contents_are_all_headings_in_their_order(written: str) -> None:
    nav = written.split("<nav", 1)[1].split("</nav>", 1)[0]
    headings = re.findall(r'<h2 id="(.*?)"', written)
    assert re.findall(r'href="#(.*?)"', nav) == headings
    assert headings[:3] == ["latency", "throughput", "comparison"]
    assert written.startswith('<!doctype html>\n<html lang="en">')


def test_plots_lie_in_the_page_with_words_for_who_cannot_see_them(written: str) -> None:
    parsed = Parsed(written)
    plots = parsed.all("svg")
    assert [one["role"] for one in plots] == ["img", "img"]
    assert plots[0]["aria-label"] == "Distribution of compute times, a tick for the median of each round"
    assert all("viewbox" in one and "width" not in one for one in plots)
    assert "compute, ms (logarithmic)" in "".join(parsed.text)


def test_verdicts_are_badges_in_sentences_and_alone_in_cells(written: str) -> None:
    assert '<span class="badge held">LIMITED</span>: TensorRT' in written
    assert '<td><span class="badge more">more time</span></td>' in written
    assert '<td><span class="badge bad">crashed</span></td>' in written
    assert '<td><span class="badge good">within</span></td>' in written
    style = (page.TEMPLATES / page.STYLE).read_text()
    signs = [re.search(rf'\.{kind}::before {{ content: "(.)"', style) for kind in badges.KINDS]
    assert len({one.group(1) for one in signs if one is not None}) == len(badges.KINDS), "told apart without colour"


def test_marks_lead_to_their_notes(written: str) -> None:
    assert re.search(r'<a href="#note-0-1">\[1\]</a>', written)
    assert re.search(
        r'<span id="note-0-1"></span>\[1\] <span class="badge held">LIMITED</span> in 5 of 5 rounds', written
    )
    marks = set(re.findall(r'href="#(note-\d+-\d+)"', written))
    assert marks == set(re.findall(r'id="(note-\d+-\d+)"', written))
    assert len(marks) > 3


def test_words_and_badges_can_be_read_on_paper_and_in_the_dark() -> None:
    """WCAG 2.1 asks for a contrast of 4.5 to 1 for text (success criterion 1.4.3)."""
    style = (page.TEMPLATES / page.STYLE).read_text()
    modes = [
        dict(re.findall(r"--(\w+): #(\w{6});", block)) for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    ]
    assert len(modes) == 2
    for colours in modes:
        for name in ("ink", "soft", "link", *badges.KINDS):
            for behind in ("page", "raised"):
                assert _contrast(colours[name], colours[behind]) >= 4.5, (name, behind)
    assert [round(_contrast(*pair), 2) for pair in (("ffffff", "000000"), ("777777", "ffffff"))] == [21, 4.48]


def _contrast(one: str, other: str) -> float:
    """Of two colours, by WCAG's definition of relative luminance."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_same_run_gives_the_same_page(tmp_path: Path, written: str) -> None:
    again = report.write(many_sided_run.write(tmp_path / "run"))
    assert again.page.read_bytes().decode("utf-8") == written


def test_several_boards_share_a_page(tmp_path: Path) -> None:
    boards = {"xavier.lab": [*of_board(ORT, 100), *of_board(TVM, 80)], "Orin-2": of_board(ORT, 10)}
    written = report.write(several(tmp_path, boards)).page.read_text(encoding="utf-8")
    parsed = Parsed(written)
    assert len(parsed.all("svg")) == 4
    assert [one["id"] for one in parsed.all("h2")] == ["board-xavierlab", "board-orin-2"]
    threes = [one["id"] for one in parsed.all("h3")]
    assert "latency" in threes
    assert "latency-1" in threes
    names = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(names) == len(set(names))
    assert {"#board-xavierlab", "#board-orin-2"} <= {one["href"] for one in parsed.all("a")}


def test_a_picture_that_is_no_plot_of_the_report_is_its_words() -> None:
    written = page.page(
        "# T\n\n![mine](a.svg)\n\n![other <b>](b.svg) and text\n",
        {"a.svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>'},
    )
    assert written.count("<svg") == 1
    assert "b.svg" not in written
    assert "<p>other &lt;b&gt; and text</p>" in written


def test_a_plot_keeps_its_references_to_itself() -> None:
    svg = (
        b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        b'width="9pt" viewBox="0 0 9 9">'
        b"<metadata>far away</metadata><defs><style>*{fill: red}</style><path id='m'/></defs><g id='unused'>"
        b"<use xlink:href='#m' clip-path='url(#c)' style='fill: #c0ffee; mask: url(#c)'/><clipPath id='c'/></g></svg>"
    )
    found = picture.inlined(svg, "course")
    assert 'id="course-m"' in found
    assert 'href="#course-m"' in found
    assert 'clip-path="url(#course-c)"' in found
    assert 'id="course-c"' in found
    assert "fill: #c0ffee; mask: url(#course-c)" in found, "a colour is no reference"
    for gone in ("xlink", "unused", "far away", "red", "width"):
        assert gone not in found
