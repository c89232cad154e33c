"""Every name of TensorRT that the backend uses is in the version it is used with, and called as that version takes it.

The table is `stand_in_tensorrt/names.toml`: names by version, read from NVIDIA's binding sources. Two readings of the
backend are held against it: its sources, and what the stand-in of each version is asked for on the way.
"""

import ast
import inspect
from pathlib import Path
from typing import Any, Dict, Iterator, Set, Tuple

import pytest

import harness.backends
from harness.errors import BuildError
from tests.stand_in_tensorrt import VERSIONS, build, models, run
from tests.stand_in_tensorrt.given import Given
from tests.stand_in_tensorrt.names import CLASSES, TABLE, rows

FILES = sorted(Path(harness.backends.__file__).parent.glob("*tensorrt*.py"))
VARIABLES = {
    "trt": "module",
    "builder": "Builder",
    "config": "IBuilderConfig",
    "network": "INetworkDefinition",
    "parser": "OnnxParser",
    "parser_error": "ParserError",
    "ranges": "IOptimizationProfile",
    "cache": "ITimingCache",
    "runtime": "Runtime",
    "engine": "ICudaEngine",
    "context": "IExecutionContext",
    "inspector": "EngineInspector",
    "given": "ITensor",
}
"""What objects of TensorRT are called in the backend's sources, and their class."""
ENUMERATIONS = {name for name in CLASSES if name in rows("module") and name[0].isupper() and name in TABLE} - {
    "Builder",
    "Runtime",
    "OnnxParser",
    "ILogger",
    "IInt8MinMaxCalibrator",
    "IInt8EntropyCalibrator2",
}
NEVER_NAMED = {"DataType", "EngineInvalidityDiagnostics"}
"""Enumerations whose values come out of TensorRT and are looked at by their names as text."""


def used(path: Path) -> Iterator[Tuple[str, str]]:
    """(class, name) of every attribute of an object of TensorRT, and of every name that hasattr asks for."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            base, name = node.value, node.attr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("hasattr", "getattr"):
            if not isinstance(node.args[1], ast.Constant):
                continue
            base, name = node.args[0], str(node.args[1].value)
        else:
            continue
        if name.startswith("__"):
            continue
        called = base.id if isinstance(base, ast.Name) else base.attr if isinstance(base, ast.Attribute) else ""
        if called in VARIABLES:
            yield VARIABLES[called], name
        elif called in ENUMERATIONS:
            yield called, name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_name_in_the_sources_is_one_that_some_version_has(path: Path) -> None:
    unknown = [(kind, name) for kind, name in used(path) if name not in rows(kind)]
    assert not unknown, f"{path.name} uses names that are not in names.toml"


def test_the_reading_of_sources_sees_what_it_is_to_see(tmp_path: Path) -> None:
    source = tmp_path / "source.py"
    source.write_text("made.builder.build_it(trt.BuilderFlag.FP16)\nhasattr(engine, 'num_io')\nself.context.run()\n")
    wanted = {("Builder", "build_it"), ("module", "BuilderFlag"), ("BuilderFlag", "FP16"), ("ICudaEngine", "num_io")}
    assert set(used(source)) == wanted | {("IExecutionContext", "run")}
    everything = {one for path in FILES for one in used(path)}
    assert len(everything) > 60 and ("IExecutionContext", "execute_async_v2") in everything


@pytest.fixture(scope="module")
def touched(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Set[Tuple[str, str]]]:
    """What each version was asked for and had; a name that it has not would have ended the course with an error."""
    found = {}
    for version in VERSIONS:
        with pytest.MonkeyPatch.context() as monkeypatch:
            found[version] = course(monkeypatch, version, tiny_model, tmp_path_factory.mktemp(version))
    return found


def course(monkeypatch: pytest.MonkeyPatch, version: str, tiny_model: Path, folder: Path) -> Set[Tuple[str, str]]:
    """Each precision, each option, both issue modes, a dynamic batch, a model that is refused, a broken engine."""
    asked: Set[Tuple[str, str]] = set()
    calibration = models.calibration(folder)
    builds: Dict[str, Dict[str, Any]] = {
        "fp32": {},
        "tf32": {"precision": "tf32"},
        "fp16": {"precision": "fp16", "options": {"dla_core": 0}},
        "minmax": {"precision": "int8", "calibration": calibration},
        "entropy": {"precision": "int8", "calibration": calibration, "options": {"calibrator": "entropy"}},
    }
    if version not in ("8.4", "8.5"):
        builds["level"] = {"options": {"optimization_level": 2}}
    given = Given(monkeypatch, version, dla_cores=1)
    for name, options in builds.items():
        given.build(tiny_model, folder / name, **options)
    for issue_mode in ("latency", "throughput"):
        with given.load(folder / "fp16", issue_mode=issue_mode) as runner:
            runner.enqueue()
            runner.synchronize()
            bare = runner.bare()
            assert bare is not None
            bare()
    options = {"profile": "x=1x4:2x4:8x4"}
    given.build(models.dynamic(folder), folder / "dynamic", options=options)
    given.load(folder / "dynamic").close()
    with pytest.raises(BuildError, match="NoSuchOp"):
        given.build(models.unsupported(folder, 12), folder / "unsupported")
    (folder / "fp32" / "model.engine").write_bytes(b"broken")
    with pytest.raises(BuildError):
        given.load(folder / "fp32")
    asked |= given.module._names.touched
    if version not in ("11", "rtx"):
        given = Given(monkeypatch, version)
        path = dynamic_calibration(folder)
        given.build(models.dynamic(folder), folder / "d", precision="int8", calibration=path, options=options)
        asked |= given.module._names.touched
    return asked


def dynamic_calibration(folder: Path) -> Path:
    import numpy

    numpy.savez(str(folder / "x.npz"), x=numpy.ones((4, 4), numpy.float32))
    return folder / "x.npz"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_is_asked_for_nothing_that_it_has_not(version: str, touched: Dict[str, Set[Tuple[str, str]]]) -> None:
    for kind, name in touched[version]:
        row = rows(kind)[name]
        assert row["in"] == "all" or version in row["in"].split(), f"{kind}.{name}"
    by_name = ("IExecutionContext", "execute_async_v3") in touched[version]
    assert by_name == (version != "8.4"), "bindings where there are no names, and nowhere else"


def test_every_name_of_the_table_is_used_on_some_version(touched: Dict[str, Set[Tuple[str, str]]]) -> None:
    seen: Set[Tuple[str, str]] = set().union(*touched.values())
    named = [(kind, name) for kind in CLASSES if kind not in NEVER_NAMED for name in rows(kind)]
    assert [one for one in named if one not in seen] == []


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if hasattr(build, kind) or hasattr(run, kind)])
def test_the_stand_in_takes_what_the_versions_take(kind: str) -> None:
    """Names, order and number of parameters are those of the binding sources: a wrong call ends in a TypeError."""
    made = getattr(build, kind, None) or getattr(run, kind)
    for name, row in rows(kind).items():
        member = inspect.getattr_static(made, name)
        if isinstance(member, property):
            assert "takes" not in row, f"{kind}.{name} is a method"
            continue
        parameters = list(inspect.signature(member).parameters.values())[1:]
        found = [one.name + ("?" if one.default is not one.empty else "") for one in parameters]
        wanted = row.get("takes", "").split()
        assert found == [one for one in wanted if one in found or not one.endswith("?")], f"{kind}.{name}"


def test_each_row_says_where_it_is_from() -> None:
    for kind in CLASSES:
        for name, row in rows(kind).items():
            source = row.get("source") or TABLE[kind].get("source", "")
            assert source.startswith(("python/src/", "none: rtx alone")), f"{kind}.{name} has no source"
            assert row["in"] == "all" or set(row["in"].split()) <= set(VERSIONS), f"{kind}.{name}"
    for version, about in TABLE["versions"].items():
        assert about["tag"], version
