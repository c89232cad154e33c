"""A tuning job done by the runtime's own tuner: what ours is held against; `selfbench` alone asks for it."""

from harness import backends
from harness.backends._tvm_tuning import verb
from harness.jobs import Stock, TuneJob


def stock(job: TuneJob) -> Stock:
    """Raises Unsupported or BuildError; no trial is kept."""
    backends.get("tvm").version()
    return verb.stock(job)
