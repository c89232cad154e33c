"""Engine files and devices that are not as they should be: each has a sentence of its own, and nothing is left open."""

from pathlib import Path
from typing import Iterator, Tuple

import pytest

from harness import backends
from harness.device._words import device_error
from harness.errors import BuildError, DeviceError, Unsupported
from harness.records import InferenceOptions
from tests.stand_in_tensorrt import Module
from tests.stand_in_tensorrt.given import Given, give
from tests.test_tensorrt_run import feed


@pytest.fixture
def engine(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tuple[Given, Path]]:
    given = Given(monkeypatch, "8.6")
    given.build(tiny_model, tmp_path / "engine")
    yield given, tmp_path / "engine"
    assert not given.work.binding.live and not given.work.binding.streams, "a load that failed left something behind"


def test_an_engine_file_that_is_cut_short_is_refused_in_words(engine: Tuple[Given, Path]) -> None:
    given, folder = engine
    data = (folder / "model.engine").read_bytes()
    (folder / "model.engine").write_bytes(data[: len(data) // 2])
    with pytest.raises(BuildError, match=r"model\.engine is not an engine, or is broken: .*; build it again"):
        given.load(folder)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"dla_core"'])
def test_what_lies_beside_an_engine_and_cannot_be_read_is_refused_in_words(
    text: str, engine: Tuple[Given, Path]
) -> None:
    given, folder = engine
    (folder / "runtime.json").write_text(text)
    with pytest.raises(BuildError, match=r"runtime\.json, which lies beside model\.engine, .*; build it again"):
        given.load(folder)


def test_an_engine_of_another_version_is_refused_in_words(
    engine: Tuple[Given, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    given, folder = engine
    give(monkeypatch, Module("8.5", given.work), given.work)
    with pytest.raises(BuildError, match=r"was built by another version: .* expecting library version 8\.5\.2\.2 got"):
        given.load(folder)


def test_an_engine_of_another_device_is_refused_in_words(
    engine: Tuple[Given, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    given, folder = engine
    give(monkeypatch, Module("8.6", given.work, compute="7.2"), given.work)
    with pytest.raises(BuildError, match=r"was built for another device: .* expecting compute 7\.2 got compute 8\.7"):
        given.load(folder)


def test_where_no_device_is_the_cell_is_skipped(engine: Tuple[Given, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    given, folder = engine
    give(monkeypatch, given.module, None)
    with pytest.raises(Unsupported, match=r"^no device here can run this engine \(the CUDA driver cannot be loaded"):
        given.load(folder)


def test_a_device_that_rtx_does_not_know_cannot_run_its_engine(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Given(monkeypatch, "rtx")
    given.build(tiny_model, tmp_path / "engine")
    other = Module("rtx", given.work, compute="9.0")
    give(monkeypatch, other, given.work)
    with pytest.raises(Unsupported, match="no device here can run this engine: TensorRT-RTX says UNSUPPORTED_CC"):
        backends.get("tensorrt_rtx").load(tmp_path / "engine", InferenceOptions(threads=1, io_memory="pinned"))


@pytest.mark.parametrize(
    ("routine", "name", "status"),
    [
        ("allocate", "CUDA_ERROR_OUT_OF_MEMORY", "failed"),
        ("allocate", "CUDA_ERROR_DEVICE_UNAVAILABLE", "crashed"),
        ("make_stream", "CUDA_ERROR_LAUNCH_FAILED", "crashed"),
    ],
)
def test_a_device_that_refuses_at_load_says_so_by_its_name(
    engine: Tuple[Given, Path], routine: str, name: str, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, folder = engine

    def refuse(*_: object) -> None:
        raise device_error(name, routine)

    with monkeypatch.context() as patch:
        patch.setattr(given.work.binding, routine, refuse)
        with pytest.raises(DeviceError, match=name) as caught:
            given.load(folder)
    assert caught.value.status == status


def test_a_device_that_disappears_between_inferences_ends_the_cell_by_its_name(
    engine: Tuple[Given, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    given, folder = engine

    def gone(*_: object) -> None:
        raise device_error("CUDA_ERROR_UNKNOWN", "cuStreamSynchronize")

    with given.load(folder) as runner:
        runner.set_inputs(feed())
        runner.enqueue()
        monkeypatch.setattr(given.work.binding, "synchronize_stream", gone)
        with pytest.raises(DeviceError, match="cuStreamSynchronize: CUDA_ERROR_UNKNOWN"):
            runner.synchronize()


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("1: [defaultAllocator.cpp::allocate::31] Error Code 1: Cuda Runtime (out of memory)", "OUT_OF_MEMORY"),
        ("1: [runtime.cpp::x::1] Error Code 1: Cuda Runtime (cudaErrorIllegalAddress)", "ILLEGAL_ADDRESS"),
        ("3: [executionContext.cpp::enqueueV3::2] Parameter check failed", ""),
    ],
)
def test_a_call_that_answers_false_is_a_device_error_with_what_tensorrt_said(
    engine: Tuple[Given, Path], said: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, folder = engine
    with given.load(folder) as runner:
        (context,) = given.module._contexts

        def refused(handle: int) -> bool:
            given.module._say("ERROR", said)
            return False

        monkeypatch.setattr(context, "_enqueue", lambda addresses, handle: refused(handle))
        with pytest.raises(DeviceError, match="TensorRT could not start an inference") as caught:
            runner.enqueue()
    assert caught.value.name == (f"CUDA_ERROR_{name}" if name else "")
