"""Floor: what the host asks of a worker about trtexec, and what that really did; the other jobs are in `jobs.py`."""

from typing import Dict, List, Optional

from harness.records import SCHEMA, Ingredients, Record


class TrtexecOptions(Record, frozen=True):
    """What trtexec is made to do, in words that mean the same for every version of it; its own defaults do not."""

    iterations: int
    """Queries, warm-up included: they are counted, trtexec's own warm-up is a time."""
    warm_up_ms: int = 0
    duration_s: int = 0
    streams: int = 1
    overlap: bool = False
    """True: the next query is queued while one runs (`throughput` here); False: one at a time."""
    data_transfers: bool = True
    """False would put inputs and outputs into managed memory on every Jetson, and time no copies."""
    managed_memory: bool = False
    spin_wait: bool = True
    cuda_graph: bool = False
    dla_core: Optional[int] = None
    shapes: Dict[str, str] = {}
    """Of inputs with dynamic dimensions: `1x3x640x640`."""


class CrosscheckJob(Record, frozen=True, tag_field="kind", tag="crosscheck-job"):
    """Have NVIDIA's trtexec time an engine. Out: TrtexecRun, and the file of its times."""

    engine_dir: str
    ingredients: Ingredients
    options: TrtexecOptions
    times: str
    """Path to have the times exported to."""
    limit_s: float
    schema: int = SCHEMA


class TrtexecRun(Record, frozen=True, tag_field="kind", tag="trtexec-run"):
    """What trtexec was really told, and did."""

    version: str
    place: str
    """Where it lay: `PATH`, or the folder that TensorRT's packages put it into."""
    arguments: List[str]
    """With the engine's name alone: folders are nobody else's business."""
    options: TrtexecOptions
    notes: List[str] = []
    """What it did other than told."""
    schema: int = SCHEMA
