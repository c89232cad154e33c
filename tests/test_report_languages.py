"""The report in other languages: catalogues are whole, figures are the same, and nothing of the page stays English."""

import ast
import re
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, Pattern, Sequence, Set, Tuple, Union

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po

from harness.errors import PlanError
from harness.host import progress, report, toml
from harness.host.cli import main
from harness.host.report import language, recorded, wording
from tests import many_sided_run, tuned_run

ROOT = Path(__file__).resolve().parents[1]
OTHERS = [code for code in language.known() if code != language.ENGLISH]
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-+]\d+)?")
PLACE = re.compile(r"%\(\w+\)s")
Id = Union[str, Tuple[str, str]]


@pytest.fixture(scope="module")
def used() -> Set[Id]:
    """All texts that code and template of the report hold, as the mappings of pyproject.toml find them."""
    mappings = toml.load(ROOT / "pyproject.toml")["tool"]["babel"]["mappings"]
    found = extract_from_dir(
        ROOT / "harness" / "host" / "report",
        [(one["pattern"], one["method"]) for one in mappings],
        {one["pattern"]: {key: value for key, value in one.items() if key != "method"} for one in mappings},
        {**DEFAULT_KEYWORDS, "_": None},
    )
    return {message for _, _, message, _, _ in found}


def catalogue(code: str) -> Catalog:
    with (language.LOCALES / f"{code}.po").open("rb") as file:
        return read_po(file, locale=code)


def entries(code: str) -> List[Message]:
    return [one for one in catalogue(code) if one.id]


def forms(text: Union[str, Tuple[str, ...]]) -> Tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


@pytest.mark.parametrize("code", OTHERS)
def test_every_text_has_a_translation_and_none_is_left_over(code: str, used: Set[Id]) -> None:
    assert len(used) > 200, "the template and the modules"
    translated = {one.id for one in entries(code)}
    assert used - translated == set(), "run the commands of pyproject.toml, then translate these"
    assert translated - used == set(), "no longer said by anything"
    found = catalogue(code)
    assert not found.obsolete
    for one in entries(code):
        assert all(forms(one.string)), one.id
        assert not one.fuzzy, one.id
        assert [str(error) for error in one.check(found)] == []


@pytest.mark.parametrize("code", OTHERS)
def test_a_translation_has_the_places_and_the_figures_of_its_text(code: str) -> None:
    for one in entries(code):
        text = forms(one.id)[-1]
        for said in forms(one.string):
            assert sorted(set(PLACE.findall(said))) == sorted(set(PLACE.findall(text))), text
            assert sorted(NUMBER.findall(PLACE.sub("", said))) == sorted(NUMBER.findall(PLACE.sub("", text))), text
            assert said.endswith(":") == text.endswith(":"), f"a header's colon sets its column right: {text}"
            assert said == said.strip()


class Said(NamedTuple):
    """A run, and what of its report is in no language."""

    write: Callable[[Path], Path]
    plots: int
    data: Sequence[str]


RUNS = {
    "many-sided": Said(
        many_sided_run.write,
        plots=2,
        data=("YOLOv5n with generated weights", "no memory for it", "no RAPL here", many_sided_run.HOSTILE),
    ),
    "tuned": Said(tuned_run.fallen_back, plots=3, data=("YOLOv5n with generated weights",)),
}


@pytest.fixture(scope="module", params=RUNS)
def said(request: pytest.FixtureRequest) -> Said:
    return RUNS[request.param]


@pytest.fixture(scope="module")
def pages(said: Said, tmp_path_factory: pytest.TempPathFactory) -> Dict[str, str]:
    """Markdown by language, of one run; and the files for programs in between."""
    folder = said.write(tmp_path_factory.mktemp("languages") / "run")
    found: Dict[str, str] = {}
    for code in language.known():
        found[code] = report.write(folder, code).path.read_text(encoding="utf-8")
        for name in ("summary.csv", "baseline.txt"):
            data = (folder / name).read_text(encoding="utf-8")
            assert found.setdefault(name, data) == data, f"{name} is the same whatever the language"
    assert {path.name for path in folder.glob("report*")} == {
        f"report{mark}.{ending}" for mark in ["", *(f".{code}" for code in OTHERS)] for ending in ("md", "html")
    }
    assert (folder / "report.md").read_text(encoding="utf-8") == found[language.ENGLISH], "nothing was overwritten"
    for code in OTHERS:
        page = (folder / f"report.{code}.html").read_text(encoding="utf-8")
        assert f'<html lang="{code}">' in page
        assert page.count("<svg ") == said.plots
    return found


@pytest.mark.parametrize("code", OTHERS)
def test_all_figures_are_the_same_line_by_line(code: str, pages: Dict[str, str]) -> None:
    english, other = (_lines(pages[one]) for one in (language.ENGLISH, code))
    with language.written_in(code):
        recorded_note = language._(
            "What was recorded on the machine and has no translation here is shown as it was recorded, in English."
        )
    other = [line for line in other if line != recorded_note]
    assert len(english) == len(other) > 100
    for line, its in zip(english, other):
        assert sorted(NUMBER.findall(line)) == sorted(NUMBER.findall(its)), (line, its)
        if line.startswith("|"):
            cells, theirs = (one.strip("| ").split(" | ") for one in (line, its))
            assert [one for one in map(str.strip, cells) if NUMBER.fullmatch(one)] == [
                one for one in map(str.strip, theirs) if NUMBER.fullmatch(one)
            ], "a cell that is a figure has the same characters"


def _lines(text: str) -> List[str]:
    """Without blank ones and the rules of tables; the names of files hold no figures."""
    return [line for line in text.splitlines() if line.strip() and not line.startswith("| --")]


@pytest.mark.parametrize("code", OTHERS)
def test_nothing_of_the_page_stays_english(code: str, said: Said, pages: Dict[str, str], used: Set[Id]) -> None:
    text = pages[code]
    for message in used:
        for one in forms(message):
            if len(re.findall(r"[A-Za-z]{2,}", PLACE.sub("", one))) >= 3:
                assert not re.search(recorded.pattern(one), text), one
    left = re.sub(r"`[^`]*`|```.*?```", "", text, flags=re.DOTALL)
    for allowed in (one.replace("|", r"\|") for one in said.data):
        assert allowed in text
        left = left.replace(allowed, "")
    for source in ("Scandinavian Journal of Statistics", "Searle, Casella and McCulloch, Variance Components"):
        left = left.replace(source, "")
    assert re.findall(r"[A-Za-z]{2,}(?: [A-Za-z]{2,}){2,}", left) == [], "words of the data and of the field alone"


def test_korean_is_korean(tmp_path: Path) -> None:
    text = report.write(many_sided_run.write(tmp_path / "run"), "ko").path.read_text(encoding="utf-8")
    assert "의 소요 시간은 TensorRT(기준, 스레드 2개)의" in text
    assert "] 3초의 예산 안에서 워밍업 20회 중 2회만 수행" in text
    assert "make report REPORT_LANG=ko" in text


def test_tuning_is_told_in_korean_with_its_plot(tmp_path: Path) -> None:
    folder = tuned_run.fallen_back(tmp_path / "run")
    text = report.write(folder, "ko").path.read_text(encoding="utf-8")
    assert "TVM tuned (fallback), znver3, 시도 512회(10분), 시드 1, 2, 기록 3fa9" in text
    assert "* 작업 2개, 10분 00초 동안 시도 512회(분당 51회)." in text
    assert "| 기본 스케줄보다 빠르지 않음 " in text
    assert "튜닝 시도 수와 튜닝 시간(분)에 따른 모델 전체의 추정 시간](tuning.ko.svg)" in text
    assert "추정 시간, ms" in (folder / "tuning.ko.svg").read_text(encoding="utf-8")
    assert not (folder / "tuning.svg").exists()


@pytest.mark.parametrize(
    ("seconds", "english", "korean"),
    [
        (42, "42 s", "42초"),
        (59.6, "1:00 min", "1분 00초"),
        (3599, "59:59 min", "59분 59초"),
        (7800, "2:10 h", "2시간 10분"),
    ],
)
def test_durations_are_those_of_the_terminal_and_of_the_language(seconds: float, english: str, korean: str) -> None:
    assert wording.duration(seconds) == english == progress.duration(seconds)
    with language.written_in("ko"):
        assert wording.duration(seconds) == korean


def test_an_unknown_language_is_one_sentence_with_the_known_ones(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = many_sided_run.write(tmp_path / "run")
    assert main(["report", "--report-lang", "fr", "--results", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert f"'fr' is not one of {', '.join(map(repr, language.known()))}." in said
    assert list(folder.glob("report*")) == []
    with pytest.raises(PlanError, match=f"no report is written in 'fr'; languages are {', '.join(language.known())}"):
        report.write(folder, "fr")
    assert list(folder.glob("report*")) == []


def test_a_language_ends_with_its_block() -> None:
    with pytest.raises(ValueError, match="within"), language.written_in("ko"):
        assert language._("model") == "모델"
        raise ValueError("within")
    assert language._("model") == "model"
    assert language.current() == "en"


def test_recorded_sentences_are_those_that_workers_write() -> None:
    """Else a sentence that was changed over there would silently stay English here."""
    written = [one for path in _told_by() for one in _forms(ast.parse(path.read_text(encoding="utf-8")))]
    for text in recorded.TEXTS:
        form = PLACE.sub("{}", text).replace("%%", "%")
        # A reason may be put behind it by a second string, and a file's name before it, which a run does not keep.
        whole = (form, re.sub(r": {}$", "", form), f"{{}}: {form}")
        assert any(len(words) > 0.4 * len(form) and any(map(one.fullmatch, whole)) for words, one in written), text


def _told_by() -> Iterator[Path]:
    yield from (ROOT / "harness" / "sensors").glob("*.py")
    yield from (ROOT / "harness" / "worker" / name for name in ("measure.py", "verdicts.py"))
    yield ROOT / "harness" / "host" / "stats" / "energy.py"
    yield from (ROOT / "harness" / name for name in ("schedules.py", "trials.py", "records/tuning.py"))
    yield from (ROOT / "harness" / "host" / "tuning" / name for name in ("account.py", "logs.py"))
    yield ROOT / "harness" / "backends" / "_tvm_tuning" / "finals.py"


def _forms(tree: ast.AST) -> Iterator[Tuple[str, Pattern[str]]]:
    """Of each string its words, and a pattern in which anything stands where something is put in."""
    for node in ast.walk(tree):
        parts = node.values if isinstance(node, ast.JoinedStr) else [node]
        words = [one.value if isinstance(one, ast.Constant) and isinstance(one.value, str) else None for one in parts]
        if any(words):
            form = "".join(".*" if one is None else re.escape(one) for one in words)
            yield "".join(one or "" for one in words), re.compile(form)


def test_a_recorded_sentence_is_said_with_its_figures_and_an_unknown_one_as_it_is() -> None:
    with language.written_in("ko"):
        assert recorded.said("2 of 20 warm-ups in a budget of 3 s") == "3초의 예산 안에서 워밍업 20회 중 2회만 수행"
        assert recorded.said("cudaErrorUnknown: 999") == "cudaErrorUnknown: 999"
    assert recorded.said("2 of 20 warm-ups in a budget of 3 s") == "2 of 20 warm-ups in a budget of 3 s"
