"""How TensorRT's builder is set: precision, workspace, timing cache, level, DLA; and what an engine's key says."""

import hashlib
from pathlib import Path
from typing import Any, Dict

import pytest

from harness.errors import BuildError, Unsupported
from harness.records import BuildOptions
from tests.stand_in_tensorrt import VERSIONS, models
from tests.stand_in_tensorrt.given import Given, give

FLAGS = ("8.4", "8.5", "8.6", "10.3", "10.13", "10.16")
"""Versions whose builder has precision flags."""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("precision", "flags"),
    [("fp32", set()), ("tf32", {"TF32"}), ("fp16", {"FP16"}), ("int8", {"INT8"})],
)
def test_precision_is_the_builders_flags_where_there_are_any_else_the_graph(
    version: str,
    precision: str,
    flags: set,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = Given(monkeypatch, version)
    built = given.build(tiny_model, tmp_path / "engine", precision=precision, calibration=models.calibration(tmp_path))
    (config,) = given.module._configs
    by_flags = version in FLAGS
    assert config._flags == (flags if by_flags else flags & {"TF32"}), "fp32 means fp32: TF32 is on unless cleared"
    assert built.precision_source == ("builder flags" if by_flags else "model")
    named = {"fp32": "no TF32", "tf32": "TF32", "fp16": "FP16, no TF32", "int8": "INT8, no TF32"}[precision]
    assert built.settings["flags"] == (named if by_flags or precision == "tf32" else "no TF32")
    assert config._detailed, "without it the inspector tells names alone"
    assert built.reformats == 1 and built.device_memory_bytes == 4096
    assert (tmp_path / "engine" / "layers.json").exists()
    assert bool(given.module._calibrated) == (by_flags and precision == "int8")
    if by_flags:
        assert built.executed == {{"tf32": "fp32"}.get(precision, precision): 1}, "what the inspector shows"


def test_the_workspace_is_a_quarter_of_the_memory_or_what_is_asked_for(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Given(monkeypatch, "8.4")  # of 1 GiB
    assert given.build(tiny_model, tmp_path / "a").settings["workspace_mb"] == "256"
    asked: Dict[str, Any] = {"options": {"workspace_mb": 100}}
    assert given.build(tiny_model, tmp_path / "b", **asked).settings["workspace_mb"] == "100"
    assert [config._workspace >> 20 for config in given.module._configs] == [256, 100]


def test_a_build_that_runs_out_of_memory_is_tried_once_more_with_less_and_both_are_recorded(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Given(monkeypatch, "10.3", workspace_limit_mb=64)
    built = given.build(tiny_model, tmp_path / "engine")
    assert built.settings["workspace_mb"] == "64, lowered from 256: memory ran out"
    given = Given(monkeypatch, "10.3", workspace_limit_mb=10)
    with pytest.raises(BuildError, match=r"out of memory \(workspace_mb 64, lowered from 256.*OutOfMemory.*add swap"):
        given.build(tiny_model, tmp_path / "again")
    assert len(given.module._configs) == 2, "once"


def test_a_build_that_fails_for_another_reason_is_not_tried_again_and_says_what_tensorrt_says(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "9: [myelin.cpp::compile::3] Error Code 9: Internal Error (Myelin graph with no kernels)"
    given = Given(monkeypatch, "10.3", fails=said)
    with pytest.raises(
        BuildError, match=r"^TensorRT 10\.3\.0\.30 cannot build tiny\.onnx: Error Code 9: .*no kernels\)$"
    ):
        given.build(tiny_model, tmp_path / "engine")
    assert len(given.module._configs) == 1
    given = Given(monkeypatch, "8.5", fails="10: Could not find any implementation due to insufficient workspace.")
    with pytest.raises(BuildError, match="Give a larger workspace_mb than 256"):
        given.build(tiny_model, tmp_path / "again")


def test_the_timing_cache_is_read_written_and_hashed_and_one_of_another_board_is_refused(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Given(monkeypatch, "8.6")
    first = given.build(tiny_model, tmp_path / "a").settings["timing_cache"]
    cache = tmp_path / "a" / "timing.cache"
    assert first == f"began empty, wrote {named(cache)}"
    second = given.build(tiny_model, tmp_path / "b", timing_cache=cache).settings["timing_cache"]
    assert second == f"read {named(cache)}, wrote {named(tmp_path / 'b' / 'timing.cache')}"
    foreign = tmp_path / "foreign.cache"
    foreign.write_bytes(b"of another device")
    third = given.build(tiny_model, tmp_path / "c", timing_cache=foreign).settings["timing_cache"]
    assert third == f"refused {named(foreign)}, began empty, wrote {named(cache)}"


def named(path: Path) -> str:
    return f"{hashlib.sha256(path.read_bytes()).hexdigest()[:16]} ({path.stat().st_size} bytes)"


def test_numbered_builds_choose_for_themselves_unless_they_are_told_to_read_the_cache(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Given(monkeypatch, "8.6")
    given.build(tiny_model, tmp_path / "a")
    cache = tmp_path / "a" / "timing.cache"
    kept = given.build(tiny_model, tmp_path / "b", timing_cache=cache, build_number=1).settings["timing_cache"]
    assert kept.startswith("began empty")
    asked: Dict[str, Any] = {"build_number": 1, "options": {"timing_cache": True}}
    assert (
        given.build(tiny_model, tmp_path / "c", timing_cache=cache, **asked).settings["timing_cache"].startswith("read")
    )
    asked = {"options": {"timing_cache": False}}
    kept = given.build(tiny_model, tmp_path / "d", timing_cache=cache, **asked).settings["timing_cache"]
    assert kept.startswith("began empty")


def test_rtx_which_times_nothing_is_given_no_timing_cache(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Given(monkeypatch, "rtx")
    assert "timing_cache" not in given.build(tiny_model, tmp_path / "engine").settings
    assert not (tmp_path / "engine" / "timing.cache").exists()


def test_the_optimization_level_is_set_where_there_is_one(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: Dict[str, Any] = {"options": {"optimization_level": 5}}
    given = Given(monkeypatch, "8.6")
    assert given.build(tiny_model, tmp_path / "a", **asked).settings["optimization_level"] == "5"
    assert given.module._configs[0]._level == 5
    with pytest.raises(Unsupported, match=r"optimization_level came with TensorRT 8\.6"):
        Given(monkeypatch, "8.5").build(tiny_model, tmp_path / "b", **asked)


def test_a_dla_core_is_used_with_the_gpu_behind_it_and_says_what_it_can_take(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: Dict[str, Any] = {"precision": "fp16", "options": {"dla_core": 1}}
    given = Given(monkeypatch, "8.5", dla_cores=2)
    built = given.build(tiny_model, tmp_path / "engine", **asked)
    assert built.settings["dla_core"] == "1; it can take 3 of 3 layers, the GPU has the others"
    (config,) = given.module._configs
    assert config._on_dla and config._core == 1 and config._flags == {"FP16", "GPU_FALLBACK"}
    given.load(tmp_path / "engine").close()  # the runtime is told the core, or the stand-in objects
    with pytest.raises(Unsupported, match="DLA core 1 was asked for, this device and TensorRT have 0"):
        Given(monkeypatch, "8.5").build(tiny_model, tmp_path / "none", **asked)
    with pytest.raises(BuildError, match="a DLA computes in fp16 and int8, not in fp32"):
        given.build(tiny_model, tmp_path / "fp32", options={"dla_core": 1})


def test_tf32_is_skipped_where_the_device_has_none(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Unsupported, match="this device has no TF32"):
        Given(monkeypatch, "8.5", compute="7.2").build(tiny_model, tmp_path / "engine", precision="tf32")


def test_key_and_variant_say_what_an_engine_is_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = Given(monkeypatch, "8.5")
    monkeypatch.setenv("HARNESS_L4T", "35.4.1")
    assert (given.backend.version(), given.backend.architecture()) == ("8.5.2.2", "sm_87, L4T 35.4.1")
    rtx = Given(monkeypatch, "rtx")
    assert rtx.backend.version() == "tensorrt-rtx 1.7.1.116" and "any RTX GPU" in rtx.backend.architecture()
    give(monkeypatch, given.module, None)
    with pytest.raises(Unsupported, match="the CUDA driver cannot be loaded"):
        given.backend.architecture()
    options = {"calibrator": "entropy", "dla_core": 0, "optimization_level": 4}
    build = BuildOptions(model="m", backend="tensorrt", precision="int8", options=options)
    assert given.backend.variant(build) == "DLA 0, entropy, level 4"


def test_l4t_is_read_from_the_boards_release_where_nobody_hands_it_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.backends.tensorrt import board_l4t

    monkeypatch.delenv("HARNESS_L4T", raising=False)
    assert board_l4t(tmp_path) == ""
    (tmp_path / "etc").mkdir()
    release = "# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref, EABI: aarch64, DATE: Tue Aug  1 2023"
    (tmp_path / "etc" / "nv_tegra_release").write_text(release)
    assert board_l4t(tmp_path) == "35.4.1"
