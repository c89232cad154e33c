"""Boards that are servers on this machine, and a search's part of the talk with a meter."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional, Sequence

import pytest

from harness.backends._tvm_tuning.fleet_meter import FleetMeter
from harness.backends._tvm_tuning.meter import Answer, Settings
from harness.fleet import Fleet
from harness.host.board import Board, LocalBoard
from harness.host.fleet import boards
from harness.host.progress import Progress
from tests.processes import parent_of

KINDS = {
    "quick": "usleep(2000); return 0;",
    "crash": "abort();",
    "hang": "for (volatile int i = 0;; ++i) {}",
}
ARGUMENTS = [["TENSOR", "float32", [4, 4]], ["TENSOR", "float32", [4, 4]]]
SETTINGS = Settings(repeats=2, min_repeat_s=0.02, limit_s=5.0)
LIMIT_S, JOB_LIMIT_S = 60.0, 600.0


def built(folder: Path) -> Dict[str, Path]:
    """Shared libraries of one function each, as TVM makes them, and one file that is none. Skips without TVM."""
    pytest.importorskip("tvm", reason="TVM publishes no wheel for this Python")
    pytest.importorskip("tornado", reason="TVM's tracker needs tornado")
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    for name, body in KINDS.items():
        source = folder / f"{name}.cc"
        source.write_text(
            "#include <cstdlib>\n#include <unistd.h>\n"
            f'extern "C" int __tvm_ffi_main(void*, void*, int, void*) {{ {body} }}\n'
        )
        subprocess.run(["g++", "-shared", "-fPIC", "-o", str(folder / f"{name}.so"), str(source)], check=True)
    (folder / "refused.so").write_text("no library")
    return {name: folder / f"{name}.so" for name in [*KINDS, "refused"]}


class Ground:
    """A results folder, candidates, and what was said; fleets of boards that are named here."""

    def __init__(self, folder: Path, libraries: Dict[str, Path]) -> None:
        self.folder, self.libraries = folder, libraries
        self.said: List[str] = []
        self.progress = Progress(quiet=True)

    @contextlib.contextmanager
    def fleet(self, *names: str) -> Iterator[Fleet]:
        """Of boards that are this machine."""
        made = []
        for name in names:
            board = LocalBoard(self.folder / name)
            board.name = name
            made.append(board)
        with boards.served(made, self.folder, 1, JOB_LIMIT_S, self.progress) as fleet:
            yield fleet

    @contextlib.contextmanager
    def metered(self, made: Sequence[Board]) -> Iterator[FleetMeter]:
        """A meter over boards that the caller holds."""
        with boards.served(made, self.folder, 1, JOB_LIMIT_S, self.progress) as fleet, self.meter(fleet) as meter:
            yield meter

    @contextlib.contextmanager
    def meter(self, fleet: Fleet, boards: str = "") -> Iterator[FleetMeter]:
        """On all boards, or on those named by a letter each."""
        of = Fleet(
            port=fleet.port, keys={name: key for name, key in fleet.keys.items() if not boards or name in boards}
        )
        with contextlib.closing(FleetMeter(of, "llvm")) as found:
            self.said = found.said
            yield found

    def measured(
        self,
        meter: FleetMeter,
        kinds: List[str],
        settings: Settings = SETTINGS,
        seen: Callable[[List[Answer]], None] = lambda answers: None,
        places: int = 1,
    ) -> List[Answer]:
        """Everything that came for candidates 0, 1, ...: as a search has it, what was lost is sent again."""
        wait_for(meter, places)
        queue, out, answers = list(range(len(kinds))), 0, []  # type: ignore[var-annotated]
        end = time.monotonic() + LIMIT_S
        while (queue or out) and time.monotonic() < end:
            while queue and out < meter.places():
                number = queue.pop(0)
                meter.send(number, self.libraries[kinds[number]], ARGUMENTS, settings)
                out += 1
            for answer in meter.answers(1.0):
                out -= 1
                answers.append(answer)
                if answer.lost:
                    queue.insert(0, answer.number)
            seen(answers)
        assert not queue, f"not all came: {answers}"
        assert not out, f"not all came: {answers}"
        return answers


def wait_for(meter: FleetMeter, places: int) -> None:
    end = time.monotonic() + LIMIT_S
    while meter.places() < places:
        assert time.monotonic() < end, "the boards did not come"
        assert meter.answers(0.2) == []


def killed(board: str, folder: Path) -> int:
    """Ends the board's server, as a board that loses its power would."""
    pid = server_of(board, folder)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


def server_of(board: str, folder: Path) -> Optional[int]:
    """Process id of the board's server: the one whose folder is among the board's. Each session is a child of it
    with the same words, and has the lower id where the system has begun to count anew."""
    parents: Dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (path / "cmdline").read_bytes().decode().split("\0")
            if (
                "harness.worker" in words
                and "serve" in words
                and words[words.index("serve") + 1].startswith(str(folder / board))
            ):
                parents[int(path.name)] = parent_of(path)
    return next((process for process, parent in parents.items() if parent not in parents), None)
