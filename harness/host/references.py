"""The store of references, `results/references/<name>/`: what every engine of a model is checked with."""

from pathlib import Path
from typing import Union

from harness import upgrades
from harness.errors import RecordError
from harness.host.launch.ask import ask
from harness.host.models.prepare import PreparedModel
from harness.jobs import Failure, ReferenceJob
from harness.records import BackendFacts, Reference, digest

LIMIT_S = 1800.0


class ReferenceStore:
    def __init__(self, results: Path) -> None:
        self._root = results / "references"
        self._work = results / ".work"

    def arrays(self, reference: Reference) -> Path:
        return self._root / f"{reference.key}.npz"

    def ensure(self, model: PreparedModel, seed: int, runtime: BackendFacts) -> Union[Reference, Failure]:
        """The stored reference of these bytes, this seed and this ONNX Runtime, or a new one."""
        key = digest([model.sha256, seed, runtime.version, model.ranges], 16)
        record = self._root / f"{key}.json"
        try:
            stored = upgrades.read(record, Reference)
            if self.arrays(stored).exists():
                return stored
        except (FileNotFoundError, RecordError):
            pass
        job = ReferenceJob(
            key=key,
            model=str(model.path),
            model_sha256=model.sha256,
            seed=seed,
            ranges=model.ranges,
            arrays=str(self._root / f"{key}.npz"),
        )
        self._root.mkdir(parents=True, exist_ok=True)
        answer, _ = ask(self._work, "reference", job, Reference, LIMIT_S)
        if isinstance(answer, Reference):
            upgrades.write(record, answer)
        return answer
