"""Has trtexec time the very engine that our loop has timed, told to do the same; what it exports is read by the host.

This process never touches the device: two contexts on one board would disturb each other.
"""

from pathlib import Path

import msgspec

from harness import upgrades
from harness.crosscheck import CrosscheckJob, TrtexecRun
from harness.errors import BuildError, Unsupported
from harness.records import Engine
from harness.worker import trtexec

SUFFIX = ".engine"


def crosscheck(job: CrosscheckJob) -> TrtexecRun:
    """Raises Unsupported (no trtexec, or another version's) or BuildError (it failed)."""
    program = trtexec.find()
    version = trtexec.version_of(program)
    engine = engine_file(job, version)
    told = [f"--loadEngine={engine}", f"--exportTimes={job.times}", *trtexec.flags(version, job.options)]
    ended = trtexec.run(program, told, job.limit_s)
    print(ended.text)
    if ended.code != 0:
        raise BuildError(trtexec.why(ended))
    if not Path(job.times).is_file():
        raise BuildError(f"{trtexec.NAME} ended well and left no times, which --exportTimes asks for")
    options, notes = job.options, []
    if options.cuda_graph and trtexec.NO_GRAPH in ended.text:
        options = msgspec.structs.replace(options, cuda_graph=False)
        notes.append("trtexec could not capture this engine as a CUDA graph, and launched it without one")
    return TrtexecRun(
        version=trtexec.spelled(version),
        place=program.place,
        arguments=[f"--loadEngine={engine.name}", *told[2:]],
        options=options,
        notes=notes,
    )


def engine_file(job: CrosscheckJob, version: trtexec.Version) -> Path:
    """The one file of the engine that TensorRT itself reads; refused where trtexec is of another version than it."""
    engine = upgrades.read(Path(job.engine_dir) / "engine.json", Engine)
    difference = engine.ingredients.difference(job.ingredients)
    if difference:
        raise BuildError(f"engine {engine.key} was made of other ingredients ({difference}); build it again")
    made = engine.ingredients.version.split(".")[:3]
    if made != [str(part) for part in version]:
        raise Unsupported(
            f"engine {engine.key} was built by TensorRT {engine.ingredients.version}, and {trtexec.NAME} is of "
            f"{trtexec.spelled(version)}, which cannot load it; use the one that came with this TensorRT"
        )
    names = [name for name in engine.files if name.endswith(SUFFIX)]
    if len(names) != 1:
        raise Unsupported(f"engine {engine.key} has the files {', '.join(engine.files)}: none, or more than one, is "
                          f"an engine file ({SUFFIX})")  # fmt: skip
    return Path(job.engine_dir) / names[0]
