"""From a plan to its experiments on one board: every combination of every block, once."""

import itertools
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Union

import msgspec
from msgspec import UNSET, UnsetType

from harness import backends
from harness.host.block import DEFAULT_MEMORY, UNTUNED, Block
from harness.host.models.naming import label
from harness.host.plan import FLOOR, Plan
from harness.records import BuildOptions, Experiment, InferenceOptions, SystemOptions

HOST = "host"


def experiments(
    plan: Plan,
    allowed_threads: int,
    board: str = "local",
    container: Union[str, UnsetType] = UNSET,
    io_memory: Optional[Mapping[str, Sequence[str]]] = None,
) -> List[Experiment]:
    """In the plan's order; `all` threads become the board's count, and the `default` memory the backend's first.

    `io_memory` is what each backend offers on the board, its default first; none is the host's own. The floor, what the
    harness itself adds, is measured in every run: it is put in front where nobody asked for it.
    """
    system = SystemOptions(board=board, container=container)
    found: Dict[str, Experiment] = {}
    for block in plan.experiments:
        for build, inference in _combined(plan, block, allowed_threads, io_memory or {}):
            one = Experiment(build=build, inference=inference, system=system)
            found.setdefault(one.slug(), one)
    return with_floor(list(found.values()))


def _combined(
    plan: Plan, block: Block, allowed_threads: int, io_memory: Mapping[str, Sequence[str]]
) -> "Iterator[tuple[BuildOptions, InferenceOptions]]":
    models = itertools.product(block.models, block.precisions, block.batch)
    modes = itertools.product(block.threads, block.io_memory, block.issue_modes, block.cuda_graph)
    for (model, precision, batch), mode, backend in itertools.product(models, list(modes), block.backends):
        threads, memory, issue_mode, cuda_graph = mode
        inference = InferenceOptions(
            threads=allowed_threads if threads == "all" else int(threads),
            warmup=plan.warmup,
            iterations=plan.iterations,
            max_seconds=float(plan.max_seconds),
            io_memory=_memory(memory, io_memory.get(backend, ())),
            issue_mode=issue_mode,
            # What was not asked for leaves hashes of older records as they are.
            cuda_graph=True if cuda_graph else UNSET,
            min_seconds=UNSET if plan.min_seconds is None else float(plan.min_seconds),
            sampling_s=UNSET if plan.sampling_s is None else float(plan.sampling_s),
        )
        build = BuildOptions(
            model=label(model),
            backend=backend,
            precision=precision,
            batch=batch,
            options=block.options.get(backend) or UNSET,
            target=block.target if backends.compiles_for(backend) else None,
        )
        if backend == FLOOR:  # one build of nothing is like another
            yield build, _of_floor(inference)
            continue
        for variant in _variants(block, backend):
            of_variant = msgspec.structs.replace(build, variant=variant)
            if block.builds == 1:
                yield of_variant, inference
            else:
                for number in range(1, block.builds + 1):
                    yield msgspec.structs.replace(of_variant, build_number=number), inference


def _variants(block: Block, backend: str) -> "List[Union[str, UnsetType]]":
    """Those of the block that the backend has; its usual one, which is all that some have, leaves hashes alone."""
    known = backends.variants(backend)
    return list(dict.fromkeys(one if one in known and one != UNTUNED else UNSET for one in block.variants))


def _memory(wanted: str, offered: Sequence[str]) -> str:
    if wanted != DEFAULT_MEMORY:
        return wanted
    return offered[0] if offered else HOST


def with_floor(found: List[Experiment]) -> List[Experiment]:
    if any(one.build.backend == FLOOR for one in found):
        return found
    first = found[0]
    build = BuildOptions(model=first.build.model, backend=FLOOR, batch=first.build.batch)
    return [msgspec.structs.replace(first, build=build, inference=_of_floor(first.inference)), *found]


def _of_floor(inference: InferenceOptions) -> InferenceOptions:
    """It has no tensors to lie anywhere, and takes no energy: a second of it would be a million samples of nothing."""
    return msgspec.structs.replace(inference, io_memory=HOST, cuda_graph=UNSET, min_seconds=UNSET)
