"""Whether a tuned engine may be called so: it is held against its untuned one before anybody else measures it.

Where it is shown to be slower, the untuned engine's files are delivered in its place, as `tuned (fallback)`. What was
shown lies beside the engine (`proofs.json`), and nothing that was shown once is tried again.
"""

import shutil
import statistics
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Union

import msgspec
from msgspec import UNSET

from harness import upgrades
from harness.errors import RecordError
from harness.host.board import Board
from harness.host.engines import EngineStore
from harness.host.launch.ask import ask
from harness.host.progress import Progress
from harness.host.references import ReferenceStore
from harness.host.stats.ratio import ratio
from harness.jobs import Failure, Versus, VersusJob
from harness.records import TUNED, Engine, InferenceOptions, Ingredients, Reference
from harness.records.proof import Proof, Proofs

PROOFS = "proofs.json"
ROUNDS, BLOCK_S, LIMIT_S = 10, 0.3, 1200.0


class Rivals(NamedTuple):
    """What is held against each other."""

    tuned: Engine
    untuned: Engine
    reference: Reference
    """Whose inputs both are run on."""


def proved(
    board: Board,
    rivals: Rivals,
    ways: Sequence[InferenceOptions],
    store: EngineStore,
    seed: int,
    progress: Progress,
) -> Union[Engine, Failure]:
    """The engine to be delivered: the tuned one, or the fallback. A Failure where the two could not be compared."""
    path = store.folder(rivals.tuned.ingredients) / PROOFS
    found = known(path, rivals)
    for way in ways:
        if any(_way(way) == (one.threads, one.io_memory, one.cuda_graph) for one in found.proofs):
            continue
        text = f"tuned against untuned, {way.threads} thread{'s' if way.threads > 1 else ''}, {ROUNDS} rounds"
        with progress.step(text) as step:
            shown = _show(board, rivals, way, store, seed)
            if isinstance(shown, Failure):
                step.note(f"{shown.status}: {shown.reason}")
                return shown
            step.note(words(shown))
            found = msgspec.structs.replace(found, proofs=[*found.proofs, shown])
            upgrades.write(path, found)
    return fallback(store, rivals) if found.slower else rivals.tuned


def of(store: EngineStore, tuned: Ingredients) -> Optional[Proofs]:
    """What a tuned engine has shown; None where it was not tried."""
    try:
        return upgrades.read(store.folder(tuned) / PROOFS, Proofs)
    except (FileNotFoundError, RecordError):
        return None


def known(path: Path, rivals: Rivals) -> Proofs:
    """What was shown of these two before."""
    nothing = Proofs(engine=rivals.tuned.key, untuned=rivals.untuned.key, proofs=[])
    try:
        found = upgrades.read(path, Proofs)
    except (FileNotFoundError, RecordError):
        return nothing
    return found if (found.engine, found.untuned) == (nothing.engine, nothing.untuned) else nothing


def ways(inferences: Sequence[InferenceOptions]) -> List[InferenceOptions]:
    """Of those with latencies, one for each way of running that may make a difference."""
    found = {_way(one): one for one in inferences if one.issue_mode == "latency"}
    return list(found.values()) or [msgspec.structs.replace(one, issue_mode="latency") for one in inferences[:1]]


def fallback(store: EngineStore, rivals: Rivals) -> Engine:
    """The untuned engine's files under the tuned one's key, in a folder of their own: copies on boards never change."""
    tuned, untuned = rivals.tuned, rivals.untuned
    words_ = f"{store.FALLBACK}, {untuned.variant.partition(', ')[2] or untuned.variant}"
    if tuned.ingredients.tuning is not UNSET:
        words_ += f", {tuned.ingredients.tuning.words()}"
    engine = msgspec.structs.replace(untuned, key=tuned.key, ingredients=tuned.ingredients, variant=words_)
    folder = store.place(engine)
    if store.whole(engine):
        return engine
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(store.place(untuned), part)
    upgrades.write(part / "engine.json", engine)
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)
    return engine


def words(one: Proof) -> str:
    """`tuned takes 0.412 times the time of untuned, 95 % interval 0.405 to 0.419`."""
    return (
        f"{TUNED} takes {one.ratio:.3g} times the time of untuned, 95 % interval {one.low:.3g} to {one.high:.3g}"
        f"{': slower, so the untuned schedules are delivered' if one.slower else ''}"
    )


def _way(one: InferenceOptions) -> "tuple[object, ...]":
    return (one.threads, one.io_memory, one.cuda_graph)


def _show(board: Board, rivals: Rivals, way: InferenceOptions, store: EngineStore, seed: int) -> Union[Proof, Failure]:
    job = VersusJob(
        backend=rivals.tuned.ingredients.build.backend,
        engine_dir=board.engine(store.place(rivals.tuned)),
        other_dir=board.engine(store.place(rivals.untuned)),
        inference=way,
        arrays=board.arrays(ReferenceStore(store.results).arrays(rivals.reference)),
        arrays_sha256=rivals.reference.arrays_sha256,
        rounds=ROUNDS,
        block_s=BLOCK_S,
        seed=seed,
    )
    answer, _ = ask(board, "versus", job, Versus, LIMIT_S)
    if isinstance(answer, Failure):
        return answer
    tuned, untuned = (dict(enumerate(each, start=1)) for each in (answer.engine_ns, answer.other_ns))
    value = ratio(tuned, untuned)
    if value is None or value.low is None or value.high is None or value.rounds < ROUNDS:
        return Failure(status="crashed", reason="the answer was refused: it has fewer rounds than were asked for")
    return Proof(
        threads=way.threads,
        io_memory=way.io_memory,
        cuda_graph=way.cuda_graph,
        rounds=value.rounds,
        iterations=answer.iterations,
        tuned_ns=statistics.median(answer.engine_ns),
        untuned_ns=statistics.median(answer.other_ns),
        ratio=value.value,
        low=value.low,
        high=value.high,
        seed=seed,
    )
