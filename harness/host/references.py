"""The store of references, `results/references/<name>/`: what every engine of a model is checked with."""

from pathlib import Path
from typing import Union

from harness import upgrades
from harness.errors import RecordError, RefusedArchive
from harness.host.board import Board
from harness.host.launch.ask import ask_with
from harness.host.models.prepare import PreparedModel
from harness.jobs import Failure, ReferenceJob
from harness.records import BackendFacts, Reference, digest

LIMIT_S = 1800.0
ARRAYS = "reference.npz"


class ReferenceStore:
    def __init__(self, results: Path) -> None:
        self._root = results / "references"

    def arrays(self, reference: Reference) -> Path:
        return self._root / f"{reference.key}.npz"

    def ensure(self, board: Board, model: PreparedModel, seed: int, runtime: BackendFacts) -> Union[Reference, Failure]:
        """The stored reference of these bytes, this seed and this ONNX Runtime, or a new one."""
        key = digest([model.sha256, seed, runtime.version, model.ranges], 16)
        record = self._root / f"{key}.json"
        try:
            stored = upgrades.read(record, Reference)
            if self.arrays(stored).exists():
                return stored
        except (FileNotFoundError, RecordError):
            pass
        self._root.mkdir(parents=True, exist_ok=True)
        with board.launch() as launcher:
            job = ReferenceJob(
                key=key,
                model=board.model(model.path, model.sha256),
                model_sha256=model.sha256,
                seed=seed,
                ranges=model.ranges,
                arrays=launcher.place(ARRAYS),
            )
            answer, _ = ask_with(launcher, "reference", job, Reference, LIMIT_S)
            if isinstance(answer, Reference) and answer.key != key:
                return Failure(status="crashed", reason="the answer was refused: it is another reference's")
            if isinstance(answer, Reference):
                part = self._root / f".{key}.part"
                if part.exists():  # of a run that was ended meanwhile
                    part.unlink()
                try:
                    launcher.take(ARRAYS, part)
                except RefusedArchive as error:
                    return Failure(status="crashed", reason=str(error))
                part.replace(self.arrays(answer))
                upgrades.write(record, answer)
        return answer
