"""A board whose workers run in containers: its pin, its image, its stores, and the hold on it while it measures."""

import contextlib
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Union

import msgspec
from msgspec import UnsetType

from harness import trials
from harness.host.board import Take
from harness.host.containers import daemon as daemons
from harness.host.containers import image as images
from harness.host.containers import labels, leftovers, outside, pins, privilege, shell
from harness.host.containers.daemon import Daemon
from harness.host.containers.image import Image
from harness.host.containers.keeper import Keeper
from harness.host.containers.launcher import ContainerLauncher
from harness.host.progress import Progress
from harness.records import Container, Machine
from harness.records.tuning import Header
from harness.trials import LOG

LOG_BYTES = 4_000_000_000
"""The largest trial log that is taken from a board."""
RESERVED_BYTES = 512 << 20
"""Left to the board's system when nobody says how much memory a worker may take."""


class ContainerBoard:
    """See `host/board.py` for what a board is asked."""

    def __init__(
        self,
        name: str,
        daemon: Daemon,
        jetpack: str,
        pin: pins.Pin,
        facts: outside.Outside,
        progress: Progress,
        memory_bytes: Optional[int] = None,
        owner: Optional[str] = None,
    ) -> None:
        self.name, self.jetpack, self._owner = name, jetpack, owner
        self.container: Union[str, UnsetType] = jetpack
        self._daemon, self._pin, self._facts, self._progress = daemon, pin, facts, progress
        self._info: Dict[str, Any] = daemon.info()
        self._gpu = privilege.gpu(pin, self._info, facts.l4t, facts.groups, name)
        there = int(self._info.get("MemTotal", 0))
        default = there - RESERVED_BYTES if there > 2 * RESERVED_BYTES else None
        self.limits = privilege.Limits(memory_bytes=memory_bytes or default)
        self._image: Optional[Image] = None
        self._keeper: Optional[Keeper] = None
        self._launched: Optional[ContainerLauncher] = None

    @property
    def here(self) -> bool:
        return not self._daemon.far

    def ready(self) -> bool:
        return images.present(self._daemon, self.jetpack, self._pin)

    def busy(self) -> bool:
        with self._daemon.words():
            return bool(self._daemon.client.api.containers(filters=labels.ours("cell")))

    @contextlib.contextmanager
    def held(self, take: Take, patient: bool = False) -> Iterator[None]:
        """`patient` waits for a cell that still measures there for a run whose connection was lost."""
        self._image = images.ensure(self._daemon, self.jetpack, self._pin, self._progress)
        with Keeper(self._daemon, self._image.id, self._grace_s(), self._owner) as self._keeper:
            for line in leftovers.clear(self._daemon, take, patient):
                self._progress.line(f"board {self.name}: {line}")
            yield
        self._keeper = None

    def launch(self, about: Optional[Dict[str, str]] = None) -> ContainerLauncher:
        assert self._image is not None, "a board is held before anything is launched on it"
        self._launched = ContainerLauncher(
            self._daemon, self._image.id, self.limits, self._gpu, labels.of_cell(about or {})
        )
        return self._launched

    @property
    def sent_bytes(self) -> int:
        """What was copied for the last worker."""
        return self._launched.sent_bytes if self._launched is not None else 0

    def shell(self) -> int:
        assert self._image is not None, "a board is held before anything is launched on it"
        return shell.run(self._daemon, self._image.id, self.limits, self._gpu)

    def model(self, path: Path, sha256: str) -> str:
        return self._stored("/models", sha256, path, "model.onnx")

    def arrays(self, path: Path) -> str:
        return self._stored("/models", path.stem, path, "reference.npz")

    def engine(self, folder: Path) -> str:
        place = f"/engines/{folder.name}"
        if not self._holder.has(place):
            self._holder.put(place, {path.name: path.read_bytes() for path in sorted(folder.iterdir())})
        return place

    def learned(self, path: Path, sha256: str) -> str:
        return self._stored("/models", sha256, path, "learned.cache")

    def tuning(self, folder: Path, header: Header) -> str:
        self.tuned(folder, header)
        place = f"/tuning/{folder.name}"
        log = folder / LOG
        self._holder.put(place, {LOG: log.read_bytes()} if log.exists() else {})
        return place

    def tuned(self, folder: Path, header: Header) -> None:
        data = self._holder.read(f"/tuning/{folder.name}/{LOG}", LOG_BYTES)
        if data is not None:
            with tempfile.TemporaryDirectory() as work:
                there = Path(work) / LOG
                there.write_bytes(data)
                trials.check_same(trials.read_header(there), header, f"board {self.name}: {folder.name}")
                trials.merge([there], folder)

    def complete(self, machine: Machine) -> Machine:
        """The machine with what only the outside knows of it."""
        assert self._image is not None
        container = Container(
            jetpack=self.jetpack,
            image=self._image.id,
            base=self._pin.base,
            base_digests=self._image.base_digests,
            base_pinned=self._pin.pinned,
            engine_version=str(self._info.get("ServerVersion", "")),
            gpu=self._gpu.words,
            memory_limit_bytes=self.limits.memory_bytes,
        )
        facts = self._facts
        return msgspec.structs.replace(
            machine, container=container, l4t=facts.l4t, module=facts.module, power_mode=facts.power_mode
        )

    def close(self) -> None:
        self._daemon.close()

    def _grace_s(self) -> float:
        """A connection to this machine's own engine breaks only with the engine, or with us."""
        return daemons.BACK_LIMIT_S if self._daemon.far else 0.0

    @property
    def _holder(self) -> Keeper:
        assert self._keeper is not None, "a board is held before anything is put on it"
        return self._keeper

    def _stored(self, store: str, key: str, path: Path, name: str) -> str:
        place = f"{store}/{key}"
        if not self._holder.has(place):
            self._holder.put(place, {name: path.read_bytes()})
        return f"{place}/{name}"
