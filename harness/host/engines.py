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
from harness.jobs import TIMING_CACHE, BuildJob, Failure
from harness.records import BackendFacts, BuildOptions, Engine, Ingredients, digest

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
    def __init__(self, results: Path) -> None:
        self._root = results / "engines"

    def folder(self, made_of: Ingredients) -> Path:
        return self._root / made_of.key()

    def turn(self, made_of: Ingredients) -> ContextManager[object]:
        """Boards of one kind, measured side by side, need the same engine: one builds it, and the others find it."""
        return _TURNS.setdefault(self.folder(made_of).resolve(), threading.Lock())

    def find(self, made_of: Ingredients) -> Optional[Engine]:
        """The stored engine, if its record can be read, says the same ingredients, and its files have their sizes."""
        folder = self.folder(made_of)
        try:
            engine = upgrades.read(folder / "engine.json", Engine)
        except (FileNotFoundError, RecordError):
            return None
        there = {path.name: path.stat().st_size for path in folder.iterdir() if path.name in engine.files}
        wanted = (engine.key, engine.ingredients) == (made_of.key(), made_of)
        return engine if wanted and there == engine.files else None

    def timing_cache(self, made_of: Ingredients) -> Path:
        """What builders of this version, for this device, have learned in earlier builds."""
        shared = [made_of.build.backend, made_of.version, made_of.architecture]
        return self._root / f"timing-{digest(shared, 16)}.cache"

    def build(
        self, board: Board, made_of: Ingredients, model: PreparedModel, calibration: Optional[Path] = None
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
                timing_cache=self._learned(board, made_of),
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
            self._learn(part / TIMING_CACHE, made_of)
            upgrades.write(part / "engine.json", engine)
            if final.exists():  # broken, or `find` would have taken it
                shutil.rmtree(final)
            part.replace(final)
            return engine

    def _learned(self, board: Board, made_of: Ingredients) -> Optional[str]:
        """Where a worker finds the timing cache, if there is one; a numbered build is to owe nothing to another."""
        cache = self.timing_cache(made_of)
        if made_of.build.build_number is not UNSET or not cache.exists():
            return None
        return board.timing_cache(cache, hashlib.sha256(cache.read_bytes()).hexdigest())

    def _learn(self, left: Path, made_of: Ingredients) -> None:
        """Takes the timing cache that a build left out of its engine's folder; it replaces the one before it whole."""
        if not left.is_file():
            return
        if made_of.build.build_number is UNSET:
            left.replace(self.timing_cache(made_of))
        else:
            left.unlink()


def _check(folder: Path, engine: Engine) -> None:
    """Raises RefusedArchive for what is no folder of exactly the files that the engine's record names."""
    there = {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if not path.is_dir()}
    there.pop("engine.json", None)
    if not folder.is_dir() or there != engine.files:
        raise RefusedArchive("the answer was refused: the engine's files are not those that its record names")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def blames_storage(reason: str) -> bool:
    """Whether the system's own words for a disk that takes no more stand in it, as LLVM prints them before it aborts.

    Asked only of a plain process: a container's temporary files have a limit of their own, which stays as it is.
    """
    return any(os.strerror(code) in reason for code in STORAGE)
