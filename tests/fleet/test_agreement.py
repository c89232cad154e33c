"""Which boards may serve one job: one target, one version of TVM, and a workstation that compiles for it."""

from typing import Optional

import msgspec
import pytest

from harness.errors import PlanError
from harness.host.fleet.agreement import check
from harness.records import BackendFacts, Machine

VERSION, X86, ORIN = "0.27.0 (ffi 0.1.14)", "x86_64 znver3", "aarch64 cortex-a78ae cuda sm_87"


def machine(architecture: str = X86, version: str = VERSION, reason: str = "") -> Machine:
    facts = BackendFacts(available=not reason, reason=reason, version=version, architecture=architecture)
    return msgspec.convert(
        {
            "kind": "machine", "board": "x", "system": "Linux", "kernel": "6", "architecture": "x", "cpu_model": "x",
            "logical_cpus": 1, "allowed_threads": 1, "memory_bytes": 1, "governor": None, "boot_id": None,
            "python": "3.11", "harness_version": "0", "harness_revision": "0",
            "backends": {"tvm": msgspec.to_builtins(facts)},
        },
        Machine,
    )  # fmt: skip


def refused(boards: "dict[str, Machine]", here: Machine, target: Optional[str] = None) -> str:
    with pytest.raises(PlanError) as caught:
        check(boards, here, target)
    return str(caught.value)


def test_boards_of_one_target_are_taken() -> None:
    check({"a": machine(), "b": machine()}, machine())
    check({"a": machine(ORIN), "b": machine(ORIN)}, machine(), "nvidia/jetson-agx-orin-64gb")


def test_a_board_without_tvm_is_named_with_its_reason() -> None:
    said = refused({"a": machine(), "b": machine(reason="tvm is not installed for Python 3.8")}, machine())
    assert "no TVM on b (tvm is not installed for Python 3.8)" in said
    assert "cannot: gone" in refused({"a": machine()}, machine(reason="gone"))


def test_boards_of_different_targets_are_refused_by_name() -> None:
    said = refused({"a": machine(), "b": machine(ORIN), "c": machine(ORIN)}, machine())
    assert f"a: {X86}; b, c: {ORIN}" in said


def test_a_board_of_another_version_is_refused() -> None:
    said = refused({"a": machine(), "b": machine(version="0.19.0")}, machine())
    assert "b runs 0.19.0" in said
    assert VERSION in said


def test_boards_of_one_target_but_different_kinds_are_refused() -> None:
    """Two modules of Jetson have one chip's words and one target, and not one speed."""
    big, small = (msgspec.structs.replace(machine(ORIN), module=f"NVIDIA Jetson {one}") for one in ("AGX", "Nano"))
    said = refused({"a": big, "b": small, "c": small}, machine(), "nvidia/jetson-agx-orin-64gb")
    assert "a: NVIDIA Jetson AGX, x; b, c: NVIDIA Jetson Nano, x" in said
    assert "tune-merge" in said
    cards = [
        msgspec.structs.replace(machine(), cuda_device=f"{one}, compute capability 9.0") for one in ("H100", "H200")
    ]
    assert "a: x, H100; b: x, H200" in refused({"a": cards[0], "b": cards[1]}, machine())
    newer = msgspec.structs.replace(machine(), cuda_device="H100, compute capability 9.0, driver for CUDA 13.0")
    check({"a": cards[0], "b": newer}, machine())


def test_a_target_that_is_not_this_machines_must_be_named() -> None:
    said = refused({"a": machine(ORIN)}, machine())
    assert ORIN in said
    assert "TARGET=" in said
