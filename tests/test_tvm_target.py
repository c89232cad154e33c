"""What TVM compiles for without a GPU: names it takes and refuses, and where an engine for something else is loaded."""

import importlib.metadata
import json
import platform
from pathlib import Path

import pytest

from harness import backends, cpu
from harness.backends._contract import Materials
from harness.device import present
from harness.errors import BuildError, Unsupported
from harness.records import BuildOptions, InferenceOptions

pytest.importorskip("tvm")
from harness.backends import _tvm_target
from harness.backends._tvm_generation import generation, part

XAVIER = "nvidia/jetson-agx-xavier"


def options(target: str) -> BuildOptions:
    return BuildOptions(model="tiny", backend="tvm", target=target)


@pytest.fixture
def no_gpu() -> None:
    try:
        present()
    except Unsupported:
        return
    pytest.skip("there is a CUDA device here")


def built(model: Path, folder: Path, target: str) -> "dict[str, object]":
    backends.get("tvm").build(Materials(model), options(target), folder)
    layout: "dict[str, object]" = json.loads((folder / "tensors.json").read_text())
    return layout


def wheel() -> bool:
    """Whether TVM was installed from its wheel."""
    return any(one.metadata["Name"] == "apache-tvm" for one in importlib.metadata.distributions())


@pytest.fixture
def kernels() -> str:
    try:
        return generation().kernels()
    except Unsupported as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        ("cc", "cross_compiler"),
        ("dlight", "ApplyDefaultSchedule"),
        ("meta_schedule", "relax_integration"),
        ("tir", "const"),
        ("schedule_transform", "RemoveWeightLayoutRewriteBlock"),
    ],
)
def test_every_part_that_has_moved_is_where_its_generation_says(name: str, holds: str) -> None:
    assert hasattr(part(name), holds)


def test_without_a_gpu_the_default_is_this_cpu_and_nothing_else(no_gpu: None) -> None:
    tvm = backends.get("tvm")
    assert tvm.architecture().startswith(f"{platform.machine()} {_tvm_target.cpu_name()}")
    assert "cuda" not in tvm.architecture()
    assert tvm.io_memory() == ["host"]
    assert bool(tvm.identity()) == wheel(), "what was built from source may be built anew under the same version"
    assert tvm.variant(BuildOptions(model="tiny", backend="tvm")) == f"untuned, {_tvm_target.cpu_name()}"


def test_an_engine_for_a_gpu_is_built_here_and_refused_where_there_is_none(
    tiny_model: Path, tmp_path: Path, no_gpu: None, kernels: str
) -> None:
    layout = built(tiny_model, tmp_path, "sm_87")
    assert (layout["kind"], layout["architecture"], layout["machine"]) == ("cuda", "sm_87", platform.machine())
    assert layout["kernels"] == kernels
    if kernels == "source":
        assert b"blockIdx" in (tmp_path / "model.so").read_bytes()
    assert backends.get("tvm").variant(options("sm_87")) == "untuned, sm_87"
    for io_memory in ("host", "pinned"):
        with pytest.raises(Unsupported, match=r"for a CUDA device \(sm_87\), and TVM reaches none here"):
            backends.get("tvm").load(tmp_path, InferenceOptions(threads=1, io_memory=io_memory))


def test_a_jetson_needs_its_linker_and_its_name_stands_in_the_variant(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if platform.machine() == "aarch64":
        pytest.skip("this machine's own linker serves a Jetson")
    tvm = backends.get("tvm")
    assert tvm.variant(options(XAVIER)) == f"untuned, {XAVIER}"
    if _tvm_target.shutil.which("aarch64-linux-gnu-g++") is None:
        with pytest.raises(Unsupported, match="install g\\+\\+-aarch64-linux-gnu"):
            tvm.build(Materials(tiny_model), options(XAVIER), tmp_path)
        return
    try:
        layout = built(tiny_model, tmp_path, XAVIER)
    except Unsupported as error:  # a TVM that compiles no kernels here
        pytest.skip(str(error))
    assert (layout["kind"], layout["architecture"], layout["machine"]) == ("cuda", "sm_72", "aarch64")
    with pytest.raises(Unsupported, match="for a machine of aarch64"):
        tvm.load(tmp_path, InferenceOptions(threads=1, io_memory="pinned"))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("nonsense", "no target 'nonsense': it is no tag of TVM's, no sm_NN, and no CPU of"),
        ("llvm", "no target 'llvm'"),
    ],
)
def test_a_name_that_nobody_knows_is_refused_instead_of_generic_code(
    tiny_model: Path, tmp_path: Path, target: str, words: str
) -> None:
    with pytest.raises(BuildError, match=words):
        backends.get("tvm").build(Materials(tiny_model), options(target), tmp_path)


def test_an_engine_for_the_cpu_takes_the_hosts_memory_alone(tiny_model: Path, tmp_path: Path) -> None:
    built(tiny_model, tmp_path, _tvm_target.cpu_name())
    with pytest.raises(Unsupported, match="for the CPU lie in host memory, not mapped"):
        backends.get("tvm").load(tmp_path, InferenceOptions(threads=1, io_memory="mapped"))
    with pytest.raises(Unsupported, match="a CUDA graph needs a CUDA device"):
        backends.get("tvm").load(tmp_path, InferenceOptions(threads=1, cuda_graph=True))


def test_levels_of_x86_64_are_those_whose_every_instruction_is_there(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    v2, v3 = cpu.LEVELS["x86-64-v2"], cpu.LEVELS["x86-64-v3"]
    for flags, levels in (
        (f"{v2} {v3} avx512f", ["x86-64-v3", "x86-64-v2"]),
        (f"{v2} {v3.replace('fma', '')}", ["x86-64-v2"]),
        (v3, []),
        ("", []),
    ):
        (tmp_path / "proc" / "cpuinfo").write_text(f"processor : 0\nflags : {flags}\n\nprocessor : 1\n")
        assert cpu.levels(tmp_path) == levels


def test_an_engine_for_a_level_that_the_cpu_lacks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tensors.json").write_text('{"kind": "llvm", "architecture": "x86-64-v4", "inputs": [], "outputs": []}')
    monkeypatch.setattr(cpu, "levels", lambda: ["x86-64-v3", "x86-64-v2"])
    with pytest.raises(Unsupported, match="for x86-64-v4, more than this CPU has"):
        backends.get("tvm").load(tmp_path, InferenceOptions(threads=1))
