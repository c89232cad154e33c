"""The proof of a tuned engine, for real: two engines in one process, and what is delivered by what they show.

ONNX Runtime stands in for both, since two of its engines of known speed are made in no time.
"""

from pathlib import Path
from typing import List

import msgspec
import numpy
import onnx
import pytest
from msgspec import UNSET
from onnx import TensorProto, helper, numpy_helper

from harness import upgrades
from harness.host import engines, machines
from harness.host.board import LocalBoard
from harness.host.engines import EngineStore
from harness.host.models.prepare import prepare
from harness.host.progress import Progress
from harness.host.references import ReferenceStore
from harness.host.tuning import proof
from harness.jobs import Failure
from harness.records import BuildOptions, Engine, InferenceOptions, Reference
from harness.records.proof import Proof, Proofs
from harness.records.tuning import Tuning

QUIET = Progress(quiet=True)
ONE_THREAD = InferenceOptions(threads=1)
TUNING = Tuning(records_sha256="3fa9" * 16, trials=512, seconds=600.0, seeds=[1], tasks=3)


def stacked(path: Path, layers: int) -> Path:
    """A model of so many convolutions, one after another."""
    weights = numpy_helper.from_array(numpy.full((8, 8, 3, 3), 0.01, numpy.float32), "weights")
    names = ["x", *(f"h{number}" for number in range(1, layers)), "y"]
    nodes = [
        helper.make_node("Conv", [one, "weights"], [other], pads=[1, 1, 1, 1]) for one, other in zip(names, names[1:])
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8, 48, 48]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "stacked", ends[:1], ends[1:], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7), str(path))
    return path


class Ground:
    """Engines of a store, a reference for their inputs, and a board to run them on."""

    def __init__(self, results: Path, models: Path) -> None:
        self.store, self.board = EngineStore(results), LocalBoard(results / ".work")
        self._models, self._results = models, results
        self._facts = machines.probe(results / ".work", ["onnxruntime"], self.board).backends["onnxruntime"]

    def engine(self, layers: int, tuned: bool) -> Engine:
        model = prepare(self._models, str(stacked(self._results / f"stacked{layers}.onnx", layers)), 1, {})
        options = BuildOptions(model=f"stacked{layers}", backend="onnxruntime")
        made_of = engines.ingredients(options, model, self._facts)
        made_of = msgspec.structs.replace(made_of, tuning=TUNING if tuned else UNSET)
        built = self.store.build(self.board, made_of, model)
        assert isinstance(built, Engine)
        return built

    def reference(self, layers: int) -> Reference:
        model = prepare(self._models, str(stacked(self._results / f"stacked{layers}.onnx", layers)), 1, {})
        made = ReferenceStore(self._results).ensure(self.board, model, 1, self._facts)
        assert isinstance(made, Reference)
        return made

    def proved(self, rivals: proof.Rivals, ways: List[InferenceOptions]) -> "Engine | Failure":
        return proof.proved(self.board, rivals, ways, self.store, 1, QUIET)


@pytest.fixture(autouse=True)
def _short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """These engines differ by far: what is proved of them needs no long look."""
    monkeypatch.setattr(proof, "BLOCK_S", 0.03)


@pytest.fixture(scope="module")
def ground(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground(tmp_path_factory.mktemp("results"), models_dir)


def test_a_tuned_engine_that_is_quicker_is_delivered_as_it_is(ground: Ground) -> None:
    rivals = proof.Rivals(ground.engine(1, tuned=True), ground.engine(6, tuned=False), ground.reference(1))
    assert ground.proved(rivals, [ONE_THREAD]) == rivals.tuned
    found = proof.of(ground.store, rivals.tuned.ingredients)
    assert found is not None
    (shown,) = found.proofs
    assert shown.rounds == 10
    assert shown.high < 1
    assert not found.slower
    assert ground.store.place(rivals.tuned).name == rivals.tuned.key


def test_what_was_shown_once_is_not_tried_again_and_another_way_is(ground: Ground) -> None:
    rivals = proof.Rivals(ground.engine(2, tuned=True), ground.engine(6, tuned=False), ground.reference(2))
    ground.proved(rivals, [ONE_THREAD])
    path = ground.store.folder(rivals.tuned.ingredients) / proof.PROOFS
    first = path.read_bytes()
    ground.proved(rivals, [ONE_THREAD])
    assert path.read_bytes() == first
    ground.proved(rivals, [ONE_THREAD, InferenceOptions(threads=2)])
    assert [one.threads for one in upgrades.read(path, Proofs).proofs] == [1, 2]
    other = rivals._replace(untuned=ground.engine(5, tuned=False))
    ground.proved(other, [ONE_THREAD])
    assert upgrades.read(path, Proofs).untuned == other.untuned.key, "against another engine all is shown anew"


def test_a_tuned_engine_that_is_slower_gives_way_to_the_untuned_files(ground: Ground) -> None:
    rivals = proof.Rivals(ground.engine(7, tuned=True), ground.engine(1, tuned=False), ground.reference(1))
    delivered = ground.proved(rivals, [ONE_THREAD])
    assert isinstance(delivered, Engine)
    assert (delivered.key, delivered.ingredients) == (rivals.tuned.key, rivals.tuned.ingredients)
    assert delivered.variant.startswith("tuned (fallback)")
    assert delivered.variant.endswith("512 trials in 10 min, seed 1, records 3fa9")
    assert delivered.files_sha256 == rivals.untuned.files_sha256
    place = ground.store.place(delivered)
    assert place != ground.store.place(rivals.tuned), "a board that has a copy of the one never takes it for the other"
    assert upgrades.read(place / "engine.json", Engine) == delivered
    found = proof.of(ground.store, rivals.tuned.ingredients)
    assert found is not None
    assert found.slower
    stamp = (place / "engine.json").stat().st_mtime_ns
    assert ground.proved(rivals, [ONE_THREAD]) == delivered
    assert (place / "engine.json").stat().st_mtime_ns == stamp
    (place / "optimized.onnx").write_bytes(b"damaged")
    assert ground.proved(rivals, [ONE_THREAD]) == delivered
    assert (place / "optimized.onnx").read_bytes() != b"damaged", "a damaged copy is made again"


def test_engines_that_cannot_be_compared_are_a_reason_and_not_a_proof(ground: Ground) -> None:
    rivals = proof.Rivals(ground.engine(3, tuned=True), ground.engine(6, tuned=False), ground.reference(1))
    (ground.store.place(rivals.tuned) / "optimized.onnx").write_bytes(b"no model")
    found = ground.proved(rivals, [ONE_THREAD])
    assert isinstance(found, Failure)
    assert found.status == "crashed"
    assert proof.of(ground.store, rivals.tuned.ingredients) is None


def test_only_an_interval_above_one_calls_an_engine_slower() -> None:
    def shown(low: float, high: float) -> Proof:
        return Proof(
            threads=1, io_memory="host", rounds=10, iterations=9, tuned_ns=1, untuned_ns=1,
            ratio=(low * high) ** 0.5, low=low, high=high, seed=1,
        )  # fmt: skip

    assert [shown(*one).slower for one in ((0.9, 0.95), (0.99, 1.01), (1.0, 1.1), (1.001, 1.1))] == [
        False, False, False, True,
    ]  # fmt: skip


def test_each_way_of_running_is_proved_once() -> None:
    two = InferenceOptions(threads=2)
    longer = InferenceOptions(threads=2, iterations=500)
    rate = InferenceOptions(threads=2, issue_mode="throughput")
    assert proof.ways([ONE_THREAD, two, longer, rate]) == [ONE_THREAD, longer]
    assert [one.issue_mode for one in proof.ways([rate])] == ["latency"], "what is timed is one inference at a time"
