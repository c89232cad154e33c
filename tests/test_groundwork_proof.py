"""A tuned engine that nothing was held against is not delivered as one."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Optional

import pytest

from harness.host import groundwork
from harness.host.progress import Progress
from harness.jobs import Failure
from harness.records import BuildOptions

OPTIONS = BuildOptions(model="tiny", backend="tvm", variant="tuned")


def proved(tmp_path: Path, made_of: Optional[object], obstacle: Optional[Failure] = None) -> Any:
    survey: Any = SimpleNamespace(
        ingredients=lambda build: made_of,
        obstacle=lambda build: obstacle,
        machine=SimpleNamespace(backends={groundwork.REFERENCE_RUNTIME: None}),
    )
    store: Any = SimpleNamespace(results=tmp_path)
    tuned: Any = object()
    return groundwork._proved(survey, store, tuned, OPTIONS, [], Progress(quiet=True))


def test_one_whose_untuned_self_cannot_be_built_here_is_skipped(tmp_path: Path) -> None:
    found = proved(tmp_path, None, Failure(status="skipped", reason="no linker"))
    assert found == Failure(status="skipped", reason="tuned was not held against untuned: no linker")


def test_one_whose_untuned_self_fails_to_build_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groundwork, "_engine", lambda *_: Failure(status="failed", reason="out of memory"))
    found = proved(tmp_path, object())
    assert found == Failure(status="failed", reason="tuned was not held against untuned: out of memory")
