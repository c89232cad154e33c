"""Turns a model into an engine."""

import errno
import hashlib
import os
import resource
import time
from datetime import datetime, timezone
from pathlib import Path

from msgspec import UNSET

from harness import backends, upgrades
from harness.backends._contract import Materials
from harness.errors import BuildError, Unsupported
from harness.jobs import LEARNED, BuildJob
from harness.records import Engine


def build(job: BuildJob) -> Engine:
    """Writes the engine's files and its record; raises Unsupported or BuildError."""
    options, folder = job.ingredients.build, Path(job.engine_dir)
    folder.mkdir(exist_ok=True)
    backend = backends.get(options.backend)
    if options.precision not in backend.precisions:
        offered = ", ".join(sorted(backend.precisions))
        raise Unsupported(f"{options.backend} builds {offered} here, not {options.precision}")
    backend.version()  # raises where the runtime is missing; importing it is not build time
    start = time.perf_counter_ns()
    try:
        built = backend.build(_materials(job), options, folder)
    except BuildError:
        check_limit(folder)
        raise
    seconds = (time.perf_counter_ns() - start) / 1e9
    files = sorted(path for path in folder.iterdir() if path.name not in LEARNED)
    engine = Engine(
        key=job.ingredients.key(),
        ingredients=job.ingredients,
        variant=_variant(backend.variant(options), job),
        computes=backend.computes,
        executed=built.executed,
        precision_note=built.note,
        build_seconds=round(seconds, 3),
        files={path.name: path.stat().st_size for path in files},
        files_sha256={path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        precision_source=built.precision_source,
        settings=built.settings,
        device_memory_bytes=built.device_memory_bytes,
        reformats=built.reformats,
        built_utc=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
    upgrades.write(folder / "engine.json", engine)
    return engine


def _variant(words: str, job: BuildJob) -> str:
    tuning = job.ingredients.tuning
    return words if tuning is UNSET else f"{words}, {tuning.words()}"


def _materials(job: BuildJob) -> Materials:
    given = (job.calibration, job.timing_cache, job.calibration_cache, job.trials)
    return Materials(Path(job.model), *(Path(one) if one is not None else None for one in given))


def check_limit(folder: Path) -> None:
    """Raises OSError where a file in `folder` has grown to the limit of this process: builders have other words for it.

    Such an engine is to be built again once the limit is gone, not to be called broken for good.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    for path in folder.iterdir():
        if limit != resource.RLIM_INFINITY and path.stat().st_size >= limit:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path.name)
