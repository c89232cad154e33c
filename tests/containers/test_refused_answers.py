"""A board whose archives are refused: the cell is crashed with the reason, and the run goes on."""

import io
import tarfile
from pathlib import Path
from typing import Dict, Optional

import pytest

from harness.host import runs
from harness.host.bench import Outcome, bench
from harness.host.board import LocalBoard
from harness.host.containers import archive
from harness.host.launch.local import LocalLauncher
from harness.host.progress import Progress
from harness.host.request import Request
from tests.small_bench import request

REASON = "a container's answer was refused: it is not a whole archive"


class Lying(LocalLauncher):
    """A worker for real, whose files come out as no archive."""

    names = ("engine",)

    def take(self, name: str, into: Path) -> None:
        if name in self.names:
            archive.extract([b"no archive"], into)
        super().take(name, into)


class LyingAboutReferences(Lying):
    names = ("reference.npz",)


class Archived(LocalLauncher):
    """Files come out by way of an archive, as they do from a container."""

    def take(self, name: str, into: Path) -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            tar.add(str(self.folder / name), name)
        archive.extract([buffer.getvalue()], into)


class OtherBoard(LocalBoard):
    def __init__(self, work: Path, kind: type) -> None:
        super().__init__(work)
        self._kind = kind

    def launch(self, about: Optional[Dict[str, str]] = None) -> LocalLauncher:
        launcher: LocalLauncher = self._kind(self._work)
        return launcher


def measured(asked: Request, kind: type) -> Outcome:
    return bench(asked, [OtherBoard(asked.results / ".work", kind)], Progress(quiet=True))


@pytest.mark.parametrize("kind", [Lying, LyingAboutReferences])
def test_the_cell_is_crashed_with_the_reason(models_dir: Path, tmp_path: Path, kind: type) -> None:
    outcome = measured(request(models_dir, tmp_path), kind)
    assert outcome.counts == {"crashed": 4}
    assert all(REASON in one.reason for one in runs.load_one(outcome.folder).results)


def test_what_an_ended_run_left_of_a_reference_is_in_nobodys_way(models_dir: Path, tmp_path: Path) -> None:
    assert measured(request(models_dir, tmp_path), Archived).counts == {"ok": 4}
    arrays = next((tmp_path / "references").glob("*.npz"))
    arrays.rename(arrays.with_name(f".{arrays.stem}.part"))
    assert measured(request(models_dir, tmp_path), Archived).counts == {"ok": 4}
    assert arrays.exists()
