"""The digest of a base, checked on what an engine says of it; building for real is tests/docker's."""

import hashlib
import json
from typing import Dict

import msgspec
import pytest

from harness.errors import LaunchError
from harness.host.containers import image, pins
from harness.host.containers.daemon import Daemon
from harness.host.progress import Progress
from tests.containers.stub_engine import Answer, Engines, StubEngine

QUIET = Progress(quiet=True)
A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
REFERENCE = "nvcr.io/nvidia/l4t-tensorrt:r8.5.2-runtime"
REPOSITORY = "nvcr.io/nvidia/l4t-tensorrt"
TAGGED, EXACT = f"GET /images/{REFERENCE}/json", f"GET /images/{REPOSITORY}@{A}/json"
PULL = "POST /images/create"


def inspected(*digests: str) -> Answer:
    return 200, {"Id": "sha256:" + "c" * 64, "RepoDigests": [f"{REPOSITORY}@{one}" for one in digests]}


def base(engine: StubEngine, digest: str) -> "list[str]":
    daemon = Daemon("lab", engine.address)
    try:
        return image.base(daemon, "5.1.2", REFERENCE, digest, "linux/arm64", QUIET)
    finally:
        daemon.close()


def test_a_pinned_base_that_is_there_is_not_pulled(stub: Engines) -> None:
    engine = stub({EXACT: inspected(A)})
    assert base(engine, A) == [f"{REPOSITORY}@{A}"]
    assert PULL not in engine.asked


@pytest.mark.parametrize(("there", "told"), [((B,), B), ((), "none (it was imported)")])
def test_another_under_the_pinned_tag_is_refused(stub: Engines, there: "tuple[str, ...]", told: str) -> None:
    """Where the pinned one cannot be had, what the tag names on this engine is not taken in its place."""
    engine = stub({TAGGED: inspected(*there), PULL: (404, {"message": "manifest unknown"})})
    with pytest.raises(LaunchError) as caught:
        base(engine, A)
    said = str(caught.value)
    assert f"JETPACK=5.1.2 is pinned to {REFERENCE} with digest {A}; the one on this engine has {told}, and" in said
    assert "manifest unknown" in said and said.endswith("make pin JETPACK=5.1.2")


def test_a_base_without_a_pin_is_taken_as_it_is(stub: Engines) -> None:
    assert base(stub({TAGGED: inspected(B)}), "") == [f"{REPOSITORY}@{B}"]
    assert base(stub({TAGGED: (200, {"Id": "x", "RepoDigests": None})}), "") == []


@pytest.mark.parametrize(
    "words",
    [
        f"manifest for {REFERENCE} not found: manifest unknown: manifest unknown",
        "pull access denied for x, repository does not exist or may require 'docker login'",
    ],
)
def test_a_base_that_no_registry_has(stub: Engines, words: str) -> None:
    with pytest.raises(LaunchError, match=f"board lab: JETPACK=5.1.2: no registry has {REFERENCE} ") as caught:
        base(stub({PULL: (404, {"message": words})}), "")
    assert words in str(caught.value)


def test_a_pull_that_breaks_says_why(stub: Engines) -> None:
    lines = b"".join(json.dumps(one).encode() + b"\r\n" for one in ({"status": "Pulling"}, {"error": "no space left"}))
    with pytest.raises(LaunchError, match=f"JETPACK=5.1.2: {REPOSITORY}@{A}: no space left"):
        base(stub({PULL: (200, lines)}), A)


def test_an_image_that_is_there_is_neither_built_nor_its_base_asked_for(stub: Engines) -> None:
    pin = pins.load().get("cpu")
    marks: Dict[str, str] = {"jetson-inference-harness.base-digests": f"debian@{A},debian@{B}"}
    for labels, expected in ((marks, [f"debian@{A}", f"debian@{B}"]), (None, []), ({}, [])):
        found: Answer = (200, {"Id": "sha256:1", "Config": {"Labels": labels}})
        engine = stub({f"GET /images/{image.tag('cpu', pin)}/json": found})
        daemon = Daemon("lab", engine.address)
        assert image.ensure(daemon, "cpu", pin, QUIET) == image.Image("sha256:1", expected)
        daemon.close()
        assert not [one for one in engine.asked if one.startswith("POST")]


def test_the_context_is_the_same_bytes_for_the_same_files() -> None:
    """So that the engine's build cache holds; and it holds nothing else."""
    files = pins.load().get("cpu").files()
    first, second = (image._context(dict(order)).getvalue() for order in (files.items(), reversed(list(files.items()))))
    assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()
    assert b"harness/" not in first


def test_an_image_is_another_when_its_pin_is() -> None:
    pin = pins.load().get("cpu")
    assert image.tag("cpu", pin) != image.tag("cpu", msgspec.structs.replace(pin, base_digest=A))
    assert image.tag("cpu", pin) == image.tag("cpu", msgspec.structs.replace(pin))
