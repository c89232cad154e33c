"""The wall between worker and host, read from the imports themselves, and syntax that Python 3.8 reads."""

import ast
import importlib.util
import sys
import sysconfig
from pathlib import Path
from typing import Iterator, Set, Tuple

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "harness"
FLOOR = {
    f"harness.{name}" for name in ("jobs", "crosscheck", "fleet", "upgrades", "errors", "cpu", "trials", "schedules")
} | {"harness"}
FLOOR_ROOM = "records"
STANDARD = str(Path(sysconfig.get_paths()["stdlib"]).resolve())
RUNTIMES = {
    "null": set(),
    "onnxruntime": {"onnxruntime", "onnx"},
    "tvm": {"tvm"},
    "_tvm_generation": {"tvm"},
    "_tvm_today": {"tvm", "tvm_ffi"},
    "_tvm_earlier": {"tvm", "onnx"},
    "_tvm_half": {"tvm"},
    "_tvm_target": {"tvm"},
    "_tvm_build": {"tvm", "onnx"},
    "_tvm_tuning": {"tvm", "tvm_ffi", "xgboost"},
    "_half": {"onnxruntime", "onnx"},
    "_tensorrt_graph": {"onnx"},
    "_tensorrt_quantize": {"onnxruntime", "onnx"},
}
BINDINGS = {"_pycuda": {"pycuda"}, "_cuda_python": {"cuda"}}
HOST_ONLY = {"click", "PIL", "rich", "jinja2", "scipy", "matplotlib", "docker", "tomli", "tomllib"}


def imports(path: Path) -> Iterator[str]:
    """Every module a file imports, wherever in the file; `from harness import cpu` counts as harness.cpu."""
    for node in ast.walk(ast.parse(path.read_text(), feature_version=(3, 8))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            for alias in node.names:
                inside = PACKAGE.parent / node.module.replace(".", "/")
                is_module = (inside / f"{alias.name}.py").exists() or (inside / alias.name).is_dir()
                yield f"{node.module}.{alias.name}" if is_module else node.module


def standard(name: str) -> bool:
    """Whether a package is part of this Python."""
    if name in sys.builtin_module_names:
        return True
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        return False
    inside = str(Path(found.origin).resolve()).startswith(STANDARD) and "site-packages" not in found.origin
    return found.origin == "frozen" or inside


def room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 and parts[0] != FLOOR_ROOM else "floor"


def split(path: Path) -> Tuple[Set[str], Set[str]]:
    """(rooms of the harness that a file imports, packages from outside)."""
    ours, others = set(), set()
    for name in imports(path):
        if name == "harness" or name.startswith("harness."):
            ours.add("floor" if name in FLOOR or name.split(".")[1] == FLOOR_ROOM else name.split(".")[1])
        elif not standard(name.split(".")[0]):
            others.add(name.split(".")[0])
    return ours, others


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_only_what_its_room_may(path: Path) -> None:
    ours, others = split(path)
    where = room(path)
    if path.name == "__main__.py" and where == "floor":
        assert ours <= {"host"}
        assert not others
    elif where == "floor":
        assert ours <= {"floor"}, f"the floor stands on nothing: {ours}"
        assert others <= {"msgspec"}
    elif where == "backends":
        assert ours <= {"floor", "backends", "device"}
        allowed = {"numpy", "msgspec"} | RUNTIMES.get(path.stem, set()) | RUNTIMES.get(path.parent.name, set())
        assert others <= allowed, f"{path.name} names {others - allowed}"
    elif where == "device":
        assert ours <= {"floor", "device"}
        allowed = {"numpy"} | BINDINGS.get(path.stem, set())
        assert others <= allowed, f"{path.name} names {others - allowed}"
    elif where == "sensors":
        assert ours <= {"floor", "sensors"}, "what is measured and who reports it are none of its business"
        allowed = {"nvml": {"pynvml"}, "series": {"numpy"}}.get(path.stem, set())
        assert others <= {"msgspec"} | allowed, f"{path.name} names {others - allowed}"
    elif where == "worker":
        assert ours <= {"floor", "backends", "device", "sensors", "worker"}
        assert not others & HOST_ONLY
        assert others <= {"numpy", "msgspec", "onnxruntime"}
        if "onnxruntime" in others:
            assert path.stem == "reference", "only the reference is ONNX Runtime's by definition"
    else:
        assert where == "host"
        assert ours <= {"floor", "host", "backends"}
        assert not others & {"tvm", "tensorrt", "pycuda", "onnxruntime"}


def test_host_uses_backends_only_for_names_and_names_of_options() -> None:
    for path in FILES:
        if room(path) != "host":
            continue
        for name in imports(path):
            assert not name.startswith("harness.backends."), f"{path} reaches into {name}"
        tree = ast.parse(path.read_text())
        used = [
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "backends"
        ]
        if any(name == "harness.backends" for name in imports(path)):
            assert set(used) <= {"names", "options", "variants", "compiles_for"}, f"{path} uses backends.{used}"


def test_the_test_itself_sees_a_breach(tmp_path: Path) -> None:
    breach = tmp_path / "breach.py"
    breach.write_text("from harness.host import plan\nfrom harness import cpu\nimport scipy.stats\n")
    assert split(breach) == ({"host", "floor"}, {"scipy"})


def test_files_stay_small() -> None:
    lengths = sorted(len(path.read_text().splitlines()) for path in FILES)
    assert lengths[len(lengths) // 2] < 100, "the median file has grown"
    assert lengths[-1] <= 300, "a file is two things"


def test_names_that_say_nothing_are_not_used() -> None:
    for path in FILES:
        assert not {"util", "utils", "helper", "helpers", "common", "misc", "manager"} & set(path.stem.split("_")), path


def test_every_module_says_what_it_is() -> None:
    for path in FILES:
        text = ast.get_docstring(ast.parse(path.read_text()))
        assert (text and text[0].isupper()) or (text and text[0] in "`*"), f"{path} has no sentence at its top"
