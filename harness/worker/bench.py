"""Measures one cell: load the engine, check its outputs, time it, say how it ended."""

import hashlib
import resource
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, Iterator, List

from harness import backends, upgrades
from harness.backends._contract import Feed, Runner
from harness.errors import AccuracyError, BuildError, DeviceError, RecordError, Unsupported
from harness.jobs import BenchJob
from harness.records import Accuracy, Engine, OutputAccuracy, Result
from harness.records.samples import BackwardsClock
from harness.worker import accuracy, arrays, clock_check, verdicts
from harness.worker.measure import check_slots, measure
from harness.worker.reasons import reason
from harness.worker.settle import settle
from harness.worker.watch import watching


def bench(job: BenchJob) -> Result:
    start, started_utc = time.perf_counter_ns(), datetime.now(timezone.utc).isoformat(timespec="seconds")
    found: Dict[str, Any] = {}
    try:
        _measure(job, found)
        found["status"] = "ok"
    except Unsupported as error:
        found.update(status="skipped", reason=reason(error, job))
    except (BuildError, AccuracyError) as error:
        found.update(status="failed", reason=reason(error, job))
    except BackwardsClock as error:
        found.update(status="failed", reason=f"{error}; no time of this cell can be trusted")
        found["integrity"] = verdicts.of_a_backwards_clock(str(error))
    except DeviceError as error:
        # The device is often beyond use now, and tearing down may end this process: then the host's word counts.
        found.update(status=error.status, reason=reason(error, job))
    return Result(
        experiment=job.experiment,
        round=job.round,
        started_utc=started_utc,
        elapsed_s=round((time.perf_counter_ns() - start) / 1e9, 3),
        engine=job.ingredients.key(),
        peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        **found,
    )


def _measure(job: BenchJob, found: Dict[str, Any]) -> None:
    """Fills `found` as far as it gets, so that a failed cell still shows what was known."""
    inference = job.experiment.inference
    backend = backends.get(job.experiment.build.backend)
    engine = checked_engine(job)
    found["variant"] = engine.variant
    offered = backend.io_memory()
    if inference.io_memory not in offered:
        name = job.experiment.build.backend
        raise Unsupported(
            f"{name} keeps inputs and outputs in {', '.join(offered)} memory here, not {inference.io_memory}"
        )
    inputs, expected = arrays.load(Path(job.arrays), job.reference.arrays_sha256)
    with watching(job) as watch:
        if inference.least_s:
            watch.rest()
        start = time.perf_counter_ns()
        with backend.load(Path(job.engine_dir), inference) as runner:
            found["load_s"] = round((time.perf_counter_ns() - start) / 1e9, 3)
            check_slots(runner, inference)  # before the verification, which may take long
            if backend.computes:
                for rows in _compared(runner, inputs, expected, inference.slots):
                    found["accuracy"] = Accuracy(reference=job.reference.key, tolerance=job.tolerance, outputs=rows)
                    accuracy.check(rows, job.tolerance)
            settled = settle(runner, inputs, watch, inference)
            measured = measure(runner, inputs, inference)
            watch.end()
            clocks = clock_check.wrong(measured.samples, time.perf_counter_ns, backend.computes)
            outputs = [runner.get_outputs(slot) for slot in range(inference.slots)]
            wrong = _wrong(outputs, expected, job.tolerance) if backend.computes else ""
    found.update(samples=measured.samples, warmup_done=measured.warmup_done, deviations=measured.deviations)
    found["io_bytes"] = inference.slots * sum(one.nbytes for one in (*inputs.values(), *outputs[0].values()))
    found.update(verdicts.of(measured, inference, watch, settled, wrong, clocks))


def _wrong(outputs: List[Feed], expected: Feed, tolerance: float) -> str:
    """What is wrong with the outputs of the last iterations, which were right before they were timed."""
    try:
        for one in outputs:
            accuracy.check(accuracy.compare(one, expected), tolerance)
    except AccuracyError as error:
        return f"after the last iteration {error}"
    return ""


def _compared(runner: Runner, inputs: Feed, expected: Feed, slots: int) -> Iterator[List[OutputAccuracy]]:
    """Of every slot, all of them in flight together as they will be when they are timed."""
    for slot in range(slots):
        runner.set_inputs(inputs, slot)
        runner.enqueue(slot)
    for slot in range(slots):
        runner.synchronize(slot)
    for slot in range(slots):
        yield accuracy.compare(runner.get_outputs(slot), expected)


def checked_engine(job: BenchJob) -> Engine:
    """The engine's record, if the engine was made of what is asked for and of what runs here."""
    try:
        engine = upgrades.read(Path(job.engine_dir) / "engine.json", Engine)
    except FileNotFoundError:
        raise BuildError(f"engine {job.ingredients.key()}: engine.json is missing; build it again") from None
    except RecordError as error:
        raise BuildError(f"engine {job.ingredients.key()}: {error}") from error
    difference = engine.ingredients.difference(job.ingredients)
    if difference:
        raise BuildError(f"engine {engine.key} was made of other ingredients ({difference}); build it again")
    backend = backends.get(job.experiment.build.backend)
    here = (backend.version(), backend.architecture())
    made = (engine.ingredients.version, engine.ingredients.architecture)
    if here != made:
        raise BuildError(f"engine {engine.key} was made by {made}, here runs {here}; build it again")
    for name in engine.files:
        path, sha256 = Path(job.engine_dir) / name, engine.files_sha256.get(name)
        if not path.is_file():
            raise BuildError(f"engine {engine.key}: {name} is missing; build it again")
        # Before any runtime reads it: a builder's own format seldom notices that it was cut short.
        if sha256 is not None and hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            raise BuildError(
                f"engine {engine.key}: {name} is not the file that was built (its sha256 differs); build it again"
            )
    return engine
