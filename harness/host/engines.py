"""The store of engines, `results/engines/<key>/`: finds the one that fits its ingredients, or has it built."""

import hashlib
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import ContextManager, Dict, Optional, Union

import msgspec
from msgspec import UNSET, UnsetType

from harness import upgrades
from harness.errors import STORAGE, RecordError, RefusedArchive, StorageError
from harness.host.board import Board
from harness.host.launch.ask import ask_with
from harness.host.models.prepare import PreparedModel
from harness.jobs import CALIBRATION_CACHE, LEARNED, TIMING_CACHE, BuildJob, Failure
from harness.records import TUNED, BackendFacts, BuildOptions, Engine, Ingredients, digest

BUILD_LIMIT_S = 3600.0
LOG_TAIL_LINES = 40
FULL_BYTES = 4_000_000
_TURNS: Dict[Path, threading.Lock] = {}


def ingredients(
    options: BuildOptions,
    model: PreparedModel,
    facts: BackendFacts,
    container: Union[str, UnsetType] = UNSET,
    calibration: Union[str, UnsetType] = UNSET,
) -> Ingredients:
    return Ingredients(
        build=options,
        model_sha256=model.sha256,
        version=facts.version,
        architecture=facts.architecture,
        container=container,
        calibration=calibration,
    )


class EngineStore:
    FALLBACK = f"{TUNED} (fallback)"
    """How the variant of an engine begins that was to be tuned and was shown to be slower than untuned."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self._root = results / "engines"

    def folder(self, made_of: Ingredients) -> Path:
        return self._root / made_of.key()

    def place(self, engine: Engine) -> Path:
        """The folder of an engine's files; a fallback lies beside the tuned engine whose key it has."""
        folder = self.folder(engine.ingredients)
        return folder.with_name(f"{folder.name}-fallback") if engine.variant.startswith(self.FALLBACK) else folder

    def turn(self, made_of: Ingredients) -> ContextManager[object]:
        """Boards of one kind, measured side by side, need the same engine: one builds it, and the others find it."""
        return _TURNS.setdefault(self.folder(made_of).resolve(), threading.Lock())

    def find(self, made_of: Ingredients) -> Optional[Engine]:
        """The stored engine, if its record can be read, says the same ingredients, and its files are those it names."""
        return self._read(self.folder(made_of), made_of)

    def whole(self, engine: Engine) -> bool:
        """Whether the store holds this very engine, its files as they were built."""
        return self._read(self.place(engine), engine.ingredients) == engine

    def _read(self, folder: Path, made_of: Ingredients) -> Optional[Engine]:
        try:
            engine = upgrades.read(folder / "engine.json", Engine)
        except (FileNotFoundError, RecordError):
            return None
        there = {path.name: path.stat().st_size for path in folder.iterdir() if path.name in engine.files}
        if (engine.key, engine.ingredients) != (made_of.key(), made_of) or there != engine.files:
            return None
        # Sizes alone would take a file with a flipped bit for whole; the worker would then refuse it for ever.
        right = all(_sha256(folder / name) == told for name, told in engine.files_sha256.items())
        return engine if right else None

    def learned(self, made_of: Ingredients, name: str) -> Path:
        """Where lies what builds like this one have learned: `name` is one of LEARNED.

        Times of kernels hold for a version and a device. Scales of INT8 hold for a model, images, their order and
        preparation, an algorithm and a version, all of them ingredients; which build of several it is does not matter.
        """
        if name == TIMING_CACHE:
            return (
                self._root
                / f"timing-{digest([made_of.build.backend, made_of.version, made_of.architecture], 16)}.cache"
            )
        build = msgspec.structs.replace(made_of.build, build_number=UNSET)
        return self._root / f"calibration-{msgspec.structs.replace(made_of, build=build).key()}.cache"

    def build(
        self,
        board: Board,
        made_of: Ingredients,
        model: PreparedModel,
        calibration: Optional[Path] = None,
        trials: Optional[Path] = None,
    ) -> Union[Engine, Failure]:
        """Builds on the board in a fresh process; the folder appears whole or not at all."""
        self._root.mkdir(parents=True, exist_ok=True)
        with board.launch() as launcher:
            where = board.model(model.path, model.sha256)
            job = BuildJob(
                ingredients=made_of,
                model=where,
                engine_dir=launcher.place("engine"),
                calibration=None if calibration is None else board.arrays(calibration),
                timing_cache=self._known(board, made_of, TIMING_CACHE),
                calibration_cache=self._known(board, made_of, CALIBRATION_CACHE),
                trials=None if trials is None else board.learned(trials, _sha256(trials)),
            )
            answer, log = ask_with(launcher, "build", job, Engine, BUILD_LIMIT_S)
            if isinstance(answer, Failure):
                if shutil.disk_usage(str(self._root)).free < FULL_BYTES:  # a builder's own words seldom say so
                    raise StorageError(f"{self._root}: the disk is full; make room, then run the command again")
                if board.container is UNSET and blames_storage(answer.reason):
                    raise StorageError(f"{answer.reason}; make room for engines and in {tempfile.gettempdir()}")
                return answer
            if (answer.key, answer.ingredients) != (made_of.key(), made_of):
                return Failure(status="crashed", reason="the answer was refused: it is another engine's")
            tail = "\n".join(log.splitlines()[-LOG_TAIL_LINES:])
            engine = msgspec.structs.replace(answer, log_tail=tail)
            final = self.folder(made_of)
            part = final.with_name(f".{final.name}.part")
            _remove(part)
            try:
                launcher.take("engine", part)
                _check(part, answer)
            except RefusedArchive as error:
                _remove(part)
                return Failure(status="crashed", reason=str(error))
            self._learn(part, made_of)
            upgrades.write(part / "engine.json", engine)
            if final.exists():  # broken, or `find` would have taken it
                shutil.rmtree(final)
            part.replace(final)
            return engine

    def _known(self, board: Board, made_of: Ingredients, name: str) -> Optional[str]:
        """Where a worker finds what was learned."""
        cache = self.learned(made_of, name)
        if not cache.exists() or (name == TIMING_CACHE and _chooses_alone(made_of.build)):
            return None
        return board.learned(cache, _sha256(cache))

    def _learn(self, folder: Path, made_of: Ingredients) -> None:
        """Takes what a build has learned out of its engine's folder; it replaces what was known whole."""
        for name in LEARNED:
            left = folder / name
            if not left.is_file():
                continue
            if name == TIMING_CACHE and _chooses_alone(made_of.build):
                left.unlink()
            else:
                left.replace(self.learned(made_of, name))


def _chooses_alone(build: BuildOptions) -> bool:
    """A numbered build chooses its kernels without owing any to another, unless its plan asks for what others learned.

    (The backend reads the same option; what is kept from it here it could not read.)
    """
    asked = {} if build.options is UNSET else build.options
    return build.build_number is not UNSET and asked.get("timing_cache") is not True


def _check(folder: Path, engine: Engine) -> None:
    """Raises RefusedArchive for other files than the engine's record names; what was learned may lie beside them."""
    there = {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if not path.is_dir()}
    for name in ("engine.json", *LEARNED):
        there.pop(name, None)
    if not folder.is_dir() or there != engine.files:
        raise RefusedArchive("the answer was refused: the engine's files are not those that its record names")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def blames_storage(reason: str) -> bool:
    """Whether the system's own words for a disk that takes no more stand in it, as LLVM prints them before it aborts.

    Asked only of a plain process: a container's temporary files have a limit of their own, which stays as it is.
    """
    return any(os.strerror(code) in reason for code in STORAGE)
