"""The stand-in's table against what is published: the module of TensorRT-RTX, and the type stubs of TensorRT 10."""

import re
from typing import Any, Dict, List, Set

import pytest

from harness.host.models import wheel
from harness.host.models.manifest import Wheel
from tests.stand_in_tensorrt.names import CLASSES, rows

STUBS = Wheel(
    distribution="tensorrt-stubs",
    version="10.13.0.35.1",
    python="3.10",
    sha256="749a36a1f825db0800a82d0dabbf7ef49f3a9edc1e794c9545fb94a551613fea",
    member="tensorrt_bindings/tensorrt.pyi",
    member_sha256="b4cabd654492d265b7d9f96f16494102575c4d17cde7d94e99aae1fcaacf7d92",
)
"""Used as an archive: installing it would ask for TensorRT itself."""


TOP = re.compile(r"(?:class|def) (\w+)")
INSIDE = re.compile(r"    (?:(\w+):|def (\w+)\((.*)\) ->)")
OUTSIDE_BRACKETS = re.compile(r",(?![^\[(<]*[\])>])")
PARAMETER = re.compile(r"(\w+)(?::[^=]*)?(=.*)?$")


def has(row: Dict[str, str], version: str) -> bool:
    return row["in"] == "all" or version in row["in"].split()


@pytest.mark.parametrize("kind", CLASSES)
def test_rtx_has_the_names_that_the_table_says_and_no_others(kind: str, module: Any) -> None:
    made = module if kind == "module" else getattr(module, kind, None)
    for name, row in rows(kind).items():
        assert (made is not None and hasattr(made, name)) == has(row, "rtx"), f"{kind}.{name}"


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind != "module"])
def test_rtx_takes_the_parameters_that_the_table_says(kind: str, module: Any) -> None:
    for name, row in rows(kind).items():
        if has(row, "rtx") and "takes" in row and name != "log":
            told = getattr(getattr(module, kind), name).__doc__ or ""
            for parameter in row["takes"].split():
                assert f"{parameter.rstrip('?')}: " in told, f"{kind}.{name} takes no {parameter}: {told[:200]}"


class Stub:
    """Classes of a type stub: members, and the parameters of each overload of a method.

    Read by lines: as published, it is no Python (parameters without a default follow others with one).
    """

    def __init__(self, text: str) -> None:
        self.names: Set[str] = set()
        self._members: Dict[str, Dict[str, List[List[str]]]] = {}
        kind = ""
        for line in text.splitlines():
            top, inside = TOP.match(line), INSIDE.match(line)
            if top is not None:
                kind = top.group(1)
                self.names.add(kind)
            elif inside is not None:
                overloads = self._members.setdefault(kind, {}).setdefault(inside.group(2) or inside.group(1), [])
                if inside.group(2):
                    overloads.append(_parameters(inside.group(3)))

    def members(self, kind: str) -> Dict[str, List[List[str]]]:
        return self._members.get(kind, {})


def _parameters(text: str) -> List[str]:
    """Of `self, name: type, other: type = value`: `name`, `other?`."""
    found = [PARAMETER.match(one.strip()) for one in OUTSIDE_BRACKETS.split(text)]
    return [one.group(1) + ("?" if one.group(2) else "") for one in found if one is not None and one.group(1) != "self"]


@pytest.fixture(scope="module")
def stub() -> Stub:
    return Stub(wheel.fetch(STUBS).decode())


@pytest.mark.parametrize("kind", CLASSES)
def test_the_type_stubs_of_tensorrt_10_have_what_is_called_and_take_it_as_it_is_called(kind: str, stub: Stub) -> None:
    members = stub.members(kind)
    for name, row in rows(kind).items():
        there = name in stub.names if kind == "module" else name in members
        assert there == has(row, "10.13"), f"{kind}.{name}"
        wanted = row.get("takes", "").split()
        if there and wanted and kind != "module":
            assert wanted in members[name], f"{kind}.{name}: the stubs take {members[name]}"


def test_a_stub_is_read_as_it_is_meant() -> None:
    read = Stub(
        "class A:\n    x: int\n    def f(self, a: Tuple[int, int], b: str = '') -> None: ...\n"
        "    def f(self, c: int = 1, d: int) -> None: ...\ndef g() -> None: ...\n"
    )
    assert read.names == {"A", "g"} and read.members("A") == {"x": [], "f": [["a", "b?"], ["c?", "d"]]}
    assert read.members("B") == {}
