"""Makes a model's reference: seeded inputs, and outputs by ONNX Runtime with every optimisation off."""

from pathlib import Path
from typing import Any, Dict, List

import numpy

from harness.backends._contract import Feed
from harness.errors import BuildError
from harness.jobs import ReferenceJob
from harness.records import Reference
from harness.worker import arrays

INTEGERS = ("int64", "int32", "int8", "uint8")


def reference(job: ReferenceJob) -> Reference:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(job.model, settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's exceptions share no class of their own
        raise BuildError(
            f"{Path(job.model).name}: ONNX Runtime, which makes the reference, cannot load it: {error}"
        ) from error
    inputs = make_inputs(session.get_inputs(), job.seed, job.ranges)
    names = [value.name for value in session.get_outputs()]
    outputs = dict(zip(names, session.run(names, inputs)))
    for name, array in outputs.items():
        wrong = int(array.size - numpy.isfinite(array).sum())
        if wrong:
            what = f"the reference's own output {name} holds NaN or Inf in {wrong} of {array.size} values"
            raise BuildError(f"{Path(job.model).name}: {what}")
    return Reference(
        key=job.key,
        model_sha256=job.model_sha256,
        seed=job.seed,
        version=onnxruntime.__version__,
        arrays_sha256=arrays.save(Path(job.arrays), inputs, outputs),
        inputs=list(inputs),
        outputs=names,
    )


def make_inputs(values: List[Any], seed: int, ranges: Dict[str, List[float]]) -> Feed:
    """Uniform values in each input's range. `RandomState` is numpy's frozen generator: one stream in every version."""
    random = numpy.random.RandomState(seed)
    feed = {}
    for value in values:
        low, high = ranges.get(value.name, [0.0, 1.0])
        kind = value.type[len("tensor(") : -1]
        dtype = {"float": "float32", "double": "float64"}.get(kind, kind)
        drawn = low + (high - low) * random.random_sample(value.shape)
        feed[value.name] = numpy.floor(drawn).astype(dtype) if dtype in INTEGERS else drawn.astype(dtype)
    return feed
