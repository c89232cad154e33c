"""Which generation of TVM is there, and what each generation's words do with plain values; no TVM is needed.

`tests/test_tvm_earlier.py` runs the earlier one for real where it is installed.
"""

import ctypes
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, List, Optional

import numpy
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness.backends import _tvm_earlier, _tvm_today
from harness.backends._tvm_build import first_line
from harness.backends._tvm_generation import EARLIER, TODAY, dtype, kind, number, present
from harness.errors import Unsupported


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ({*TODAY, "relax.VirtualMachine"}, "today"),
        ({*EARLIER}, "earlier"),
        ({*EARLIER, "compile"}, ""),  # 0.20 to 0.23: Relay is gone, what replaced `tvm.nd` has not come
        ({*EARLIER} - {"relax.build", "relax.VirtualMachine"}, ""),  # 0.15 and older
        (set(), ""),  # of the runtime alone
    ],
)
def test_the_names_that_are_there_tell_the_generation(there: "set[str]", expected: str) -> None:
    assert kind(there) == expected


def test_names_are_looked_up_part_by_part() -> None:
    tvm = SimpleNamespace(compile=len, runtime=SimpleNamespace(empty=len), nd=SimpleNamespace(from_dlpack=len))
    assert present(tvm) == {"compile", "runtime.empty", "nd.from_dlpack"}


def test_types_and_constants_are_read_in_whatever_box_they_lie() -> None:
    tensor = SimpleNamespace(dtype="float16")
    assert dtype(SimpleNamespace(ty=tensor)) == dtype(SimpleNamespace(struct_info=tensor)) == "float16"
    assert number(SimpleNamespace(value=SimpleNamespace(value=6))) == number(SimpleNamespace(value=6.0)) == 6.0


def test_both_generations_have_the_same_parts() -> None:
    assert set(_tvm_today.PLACES) == set(_tvm_earlier.PLACES)


def resize(mode: str) -> Any:
    node = helper.make_node("Resize", ["x", "roi", "scales"], ["y"], coordinate_transformation_mode=mode)
    return SimpleNamespace(graph=SimpleNamespace(node=[helper.make_node("Relu", ["y"], ["z"]), node]))


@pytest.mark.parametrize(("mode", "left"), [("asymmetric", ""), ("half_pixel", ""), ("tf_crop_and_resize", "roi")])
def test_a_region_that_no_mode_reads_is_dropped_for_the_earlier_one(mode: str, left: str) -> None:
    model = resize(mode)
    _tvm_earlier.drop_regions(model)
    assert [list(node.input) for node in model.graph.node] == [["y"], ["x", left, "scales"]]


@pytest.mark.parametrize("opset", [12, 13])
def test_slices_compute_what_their_split_did(opset: int) -> None:
    sizes = numpy_helper.from_array(numpy.array([1, 4, 2]), "sizes")
    told = {"split": [1, 4, 2]} if opset < 13 else {}
    node = helper.make_node("Split", ["x"] if told else ["x", "sizes"], ["a", "b", "c"], axis=1, **told)
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, size]) for name, size in zip("abc", (1, 4, 2))]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 7])
    graph = helper.make_graph([node], "split", [x], values, [] if told else [sizes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)
    feed = {"x": numpy.arange(14, dtype="float32").reshape(2, 7)}
    before = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feed)
    _tvm_earlier.slice_splits(model)
    assert {one.op_type for one in model.graph.node} == {"Slice"}
    after = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feed)
    assert all(numpy.array_equal(one, other) for one, other in zip(before, after))


class TVMError(Exception):
    """As TVM's own is called."""


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("Check failed: a\n  b", "Check failed: a"),
        (
            'Traceback (most recent call last):\n  [bt] (6) lib.so(f+0xb9)\n  File "x.h"\nTVMError: In function f: no',
            "In function f: no",
        ),
        ("", "no message"),
    ],
)
def test_a_reason_is_what_went_wrong_and_not_where_its_stack_begins(said: str, line: str) -> None:
    assert first_line(TVMError(said)) == line


class Array(ctypes.Structure):
    """What an address is read from, as 0.19's `TVMArray` lays it out (runtime_ctypes.py)."""

    _fields_ = [("data", ctypes.c_void_p), ("byte_offset", ctypes.c_uint64)]


def test_an_earlier_tensor_begins_at_its_offset() -> None:
    handle = ctypes.pointer(Array(data=4096, byte_offset=64))
    assert _tvm_earlier.address(SimpleNamespace(handle=handle)) == 4160


class Gpu:
    def __init__(self) -> None:
        self.told: List[Optional[int]] = []

    def set_raw_stream(self, stream: Optional[ctypes.c_void_p]) -> None:
        self.told.append(None if stream is None else stream.value)


def test_an_earlier_device_goes_back_to_the_default_stream_also_after_an_error() -> None:
    gpu = Gpu()
    with pytest.raises(ZeroDivisionError), _tvm_earlier.on_stream(gpu, 2**40 + 8):
        assert gpu.told == [2**40 + 8], "a handle is an address of 64 bits"
        raise ZeroDivisionError
    assert gpu.told == [2**40 + 8, None]


@pytest.fixture
def empty_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def with_nvcc(folder: Path) -> None:
    compiler = folder / "nvcc"
    compiler.write_text("#!/bin/sh\n")
    compiler.chmod(0o755)


def test_the_earlier_one_compiles_kernels_with_nvcc_or_not_at_all(empty_path: Path) -> None:
    with pytest.raises(Unsupported, match="compiles CUDA kernels with nvcc, and none is on the PATH"):
        _tvm_earlier.choose_compiler()
    with_nvcc(empty_path)
    assert _tvm_earlier.choose_compiler() == "nvcc"


@pytest.mark.parametrize("nvrtc", [True, False])
def test_todays_one_takes_nvrtc_then_nvcc_and_keeps_what_was_chosen(
    empty_path: Path, monkeypatch: pytest.MonkeyPatch, nvrtc: bool
) -> None:
    def importable(name: str) -> Any:
        assert name == "cuda.bindings.nvrtc"
        return nvrtc

    monkeypatch.setattr(_tvm_today, "_importable", importable)
    monkeypatch.setenv(_tvm_today.MODE, "")  # so that its end is what it was before
    monkeypatch.delenv(_tvm_today.MODE)
    if not nvrtc:
        with pytest.raises(Unsupported, match="needs nvcc on the PATH, or cuda-python"):
            _tvm_today.choose_compiler()
        with_nvcc(empty_path)
    assert _tvm_today.choose_compiler() == os.environ[_tvm_today.MODE] == ("nvrtc" if nvrtc else "nvcc")
    monkeypatch.setenv(_tvm_today.MODE, "mine")
    assert _tvm_today.choose_compiler() == "mine"
