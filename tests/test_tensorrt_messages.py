"""What TensorRT says reaches the user: the operator, the opset, the missing library, the option that cannot be."""

from pathlib import Path
from typing import Any, Dict

import pytest

from harness.backends import _tensorrt_messages, _tensorrt_module, _tensorrt_options
from harness.errors import BuildError, DeviceError, Unsupported
from tests.stand_in_tensorrt import VERSIONS, models
from tests.stand_in_tensorrt.given import Given


@pytest.mark.parametrize("version", VERSIONS)
def test_a_dynamic_input_without_a_shape_has_a_sentence_of_its_own(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BuildError, match=r"dynamic\.onnx: x \(-1, 4\) has a dynamic dimension .*SHAPES.*profile"):
        Given(monkeypatch, version).build(models.dynamic(tmp_path), tmp_path / "engine")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"profile": "y=1x4"}, "the profile names y, which is no input with a dynamic dimension"),
        ({"profile": "x=1xfour"}, "profile 'x=1xfour' is neither input=SHAPE nor input=LEAST:USUAL:LARGEST"),
        ({"profile": "x=1x4:2x4"}, "is neither input=SHAPE nor"),
        ({"calibrator": "percentile"}, "calibrator is 'percentile'; there are minmax, entropy"),
        ({"workspace_mb": 0}, "workspace_mb is 0; the least is 1"),
        ({"workspace_mb": True}, "workspace_mb is True, it takes int"),
        ({"optimization_level": 6}, "optimization_level is 6; give 0 to 5"),
        ({"workspace": 1}, "tensorrt has no option workspace; there are workspace_mb, "),
    ],
)
def test_an_option_that_cannot_be_is_refused_by_its_name(
    options: Dict[str, Any], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BuildError) as caught:
        Given(monkeypatch, "8.6").build(models.dynamic(tmp_path), tmp_path / "engine", options=options)
    assert sentence in str(caught.value)


def test_every_declared_option_is_one_that_is_read() -> None:
    assert set(_tensorrt_options.NAMES) == set(_tensorrt_options.Options._fields)


@pytest.mark.parametrize("version", ["8.4", "10.3", "rtx"])
def test_an_unknown_operator_is_named_with_its_node(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = "TensorRT-RTX" if version == "rtx" else "TensorRT"
    with pytest.raises(BuildError) as caught:
        Given(monkeypatch, version).build(models.unsupported(tmp_path, 12), tmp_path / "engine")
    text = str(caught.value)
    assert text.startswith(f"{product} ") and "cannot parse unsupported.onnx" in text
    assert "there is no operator NoSuchOp, node 1 (the_odd_one)" in text and "Export the model without it" in text


@pytest.mark.parametrize(("version", "ceiling"), [("8.5", 17), ("10.3", 20), ("10.13", 24), ("11", 25)])
def test_an_opset_above_the_ceiling_comes_with_the_command_that_exports_below_it(
    version: str, ceiling: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Given(monkeypatch, version)
    with pytest.raises(BuildError) as caught:
        given.build(models.unsupported(tmp_path, ceiling + 1), tmp_path / "engine")
    assert f"opset {ceiling + 1}, this version reads up to {ceiling}: export it again" in str(caught.value)
    assert f"torch.onnx.export(..., opset_version={ceiling})" in str(caught.value)
    with pytest.raises(BuildError) as caught:
        given.build(models.unsupported(tmp_path, ceiling), tmp_path / "engine")
    assert "export it again" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"this is not a model", bytes(100)])
def test_a_file_that_is_no_model_is_a_build_error_that_names_it(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.onnx").write_bytes(data)
    with pytest.raises(BuildError, match=r"broken\.onnx: not an ONNX model"):
        Given(monkeypatch, "10.3").build(tmp_path / "broken.onnx", tmp_path / "engine")


def test_a_builder_that_finds_no_device_is_a_device_error(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Given(monkeypatch, "8.6")
    given.module._work = None
    with pytest.raises(DeviceError, match="TensorRT could not begin to build: CUDA initialization failure"):
        given.build(tiny_model, tmp_path / "engine")


def test_one_logger_serves_all_builds_of_a_process(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorRT ignores every later one: with a logger for each build, the second build's errors would be lost."""
    given = Given(monkeypatch, "8.6")
    given.build(tiny_model, tmp_path / "a")
    with pytest.raises(BuildError, match="NoSuchOp"):
        given.build(models.unsupported(tmp_path, 12), tmp_path / "b")
    assert _tensorrt_messages.messages(given.module).errors() == [], "each begins with what is said from then on"


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("libnvdla_compiler.so: cannot open shared object file: No such file or directory", "nvidia-l4t-dla-compiler"),
        ("/usr/lib/aarch64-linux-gnu/libnvinfer.so.8: file too short", "empty placeholder"),
        ("/usr/lib/libGLdispatch.so.0: cannot allocate memory in static TLS block", "LD_PRELOAD"),
        ("libcuda.so.1: cannot open shared object file: No such file or directory", "no NVIDIA driver"),
        ("/lib/libc.so.6: version `GLIBC_2.34' not found", "newer system"),
        ("libcudnn.so.8: cannot open shared object file: No such file or directory", "is not installed"),
    ],
)
def test_a_module_that_cannot_be_imported_says_cause_and_cure(
    said: str, meaning: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_tensorrt.py").write_text(f"raise ImportError({said!r})")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(Unsupported) as caught:
        _tensorrt_module.load("broken_tensorrt")
    assert "broken_tensorrt is installed" in str(caught.value) and meaning in str(caught.value)


def test_type_stubs_alone_are_no_tensorrt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stubs_of_tensorrt").mkdir()
    (tmp_path / "stubs_of_tensorrt" / "__init__.pyi").write_text("class Builder: ...")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("stubs_of_tensorrt", "no_such_tensorrt"):
        with pytest.raises(Unsupported, match=f"{name} is not installed for Python"):
            _tensorrt_module.load(name)
