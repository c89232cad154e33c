"""What a bench asks of a board, whether its workers are plain processes of this machine or run in containers.

A board holds copies of models, references and engines where its workers can read them; the stores under `results/`
stay the originals.
"""

import contextlib
import shutil
from pathlib import Path
from typing import Callable, ContextManager, Dict, Iterator, Optional, Protocol, Union

import msgspec
from msgspec import UNSET, UnsetType

from harness.host.containers import outside
from harness.host.launch.exit import Exit
from harness.host.launch.local import CELL, LocalLauncher
from harness.host.readings import Read
from harness.records import Machine, Record, Result
from harness.records.tuning import Header

Take = Callable[[str, Result, Read], object]
"""Given a run's name, the result of a cell that a lost connection left on the board, and what else that left there."""
LOCAL = "local"
"""The board that is this machine."""


class Launcher(Protocol):
    """One worker and its folder; a context manager closes."""

    def place(self, name: str) -> str:
        """Path of a file in the folder, as the worker sees it."""

    def run(self, verb: str, job: Record, limit_s: float) -> Exit: ...

    def stop(self) -> None:
        """From another thread than that which waits in `run`: the worker is ended, and `run` returns."""

    def line(self, port: int) -> ContextManager[Optional[int]]:
        """Two ways while it lasts: what the worker listens on, on its loopback, is reached here at the same port of
        ours; and it reaches ours at `port` at its own. Gives the one port that it may listen on; None is any."""

    def put(self, name: str, data: bytes) -> None:
        """A file into the folder, also from another thread while the worker runs."""

    def get(self, name: str) -> Optional[bytes]:
        """A file of the folder; None where there is none."""

    def take(self, name: str, into: Path) -> None:
        """Moves a file or folder that the worker wrote to `into`, which is not there yet."""

    def __enter__(self) -> "Launcher": ...

    def __exit__(self, *_: object) -> None: ...


class Board(Protocol):
    name: str
    container: Union[str, UnsetType]
    """Pin of the containers its workers run in."""

    @property
    def here(self) -> bool:
        """Whether it is this machine, as far as its address tells."""

    def ready(self) -> bool:
        """Whether workers can be launched without anything being pulled or built first."""

    def busy(self) -> bool:
        """Whether a cell is measured there now, be it one whose connection was lost."""

    def held(self, take: Take) -> ContextManager[None]:
        """Nobody else measures on the board meanwhile; what a lost connection left there is taken first."""

    def launch(self, about: Optional[Dict[str, str]] = None) -> Launcher: ...

    def model(self, path: Path, sha256: str) -> str:
        """Where a worker finds the model; it is put there if need be. The same for arrays and engines."""

    def arrays(self, path: Path) -> str: ...

    def engine(self, folder: Path) -> str: ...

    def learned(self, path: Path, sha256: str) -> str:
        """The same for what builders learned, a file that changes under one name."""

    def tuning(self, folder: Path, header: Header) -> str:
        """Where a worker appends to the trial log of `folder`; what either side has alone, both have then."""

    def tuned(self, folder: Path, header: Header) -> None:
        """Brings home what was appended."""

    def complete(self, machine: Machine) -> Machine:
        """The probed machine with what only the outside knows of it."""

    def close(self) -> None:
        """Ends the connection to it, by who opened the board; what is measured there goes on."""


class LocalBoard:
    """This machine, without a container: files are where they are."""

    name = LOCAL
    container: Union[str, UnsetType] = UNSET
    here = True

    def __init__(self, work: Path) -> None:
        self._work = work

    def ready(self) -> bool:
        return True

    def busy(self) -> bool:
        return False  # whoever measures here holds the lock on the results folder

    @contextlib.contextmanager
    def held(self, take: Take) -> Iterator[None]:
        # The lock on the results folder, which every bench takes, is enough; and it tells that nobody works in the
        # folders of workers that are still there: whoever launched those was killed.
        for folder in self._work.glob(f"{CELL}*"):
            shutil.rmtree(folder, ignore_errors=True)
        yield

    def launch(self, about: Optional[Dict[str, str]] = None) -> LocalLauncher:
        return LocalLauncher(self._work)

    def model(self, path: Path, sha256: str) -> str:
        return str(path)

    def arrays(self, path: Path) -> str:
        return str(path)

    def engine(self, folder: Path) -> str:
        return str(folder)

    def learned(self, path: Path, sha256: str) -> str:
        return str(path)

    def tuning(self, folder: Path, header: Header) -> str:
        return str(folder)

    def tuned(self, folder: Path, header: Header) -> None:
        pass  # it was appended to where it lies

    def complete(self, machine: Machine) -> Machine:
        told = outside.look(None, self.name)
        return msgspec.structs.replace(machine, l4t=told.l4t, module=told.module, power_mode=told.power_mode)

    def close(self) -> None:
        pass  # no connection leads to this machine
