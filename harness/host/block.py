"""One `[[experiments]]` of a plan: what it may say, and what is wrong with it in one sentence."""

from typing import Dict, List, Mapping, Optional, Sequence, Union

import msgspec

from harness import backends
from harness.errors import PlanError
from harness.host.nearest import nearest
from harness.records import Option, Record

PRECISIONS = ("fp32", "tf32", "fp16", "int8")
DEFAULT_MEMORY = "default"
"""Each backend's own first choice of where inputs and outputs lie."""
IO_MEMORY = (DEFAULT_MEMORY, "host", "pinned", "mapped", "managed")
ISSUE_MODES = ("latency", "throughput")
UNTUNED = "untuned"
MOST_BATCH, MOST_THREADS, MOST_BUILDS = 65_536, 65_536, 1_000
KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
Threads = Union[int, str]
"""A count, or `all`: what affinity and cgroup of the board allow."""


class Block(Record, frozen=True):
    """One `[[experiments]]`: every combination of its lists is an experiment."""

    models: List[str]
    backends: List[str]
    precisions: List[str] = msgspec.field(default_factory=lambda: ["fp32"])
    batch: List[int] = msgspec.field(default_factory=lambda: [1])
    threads: List[Threads] = msgspec.field(default_factory=lambda: ["all"])
    io_memory: List[str] = msgspec.field(default_factory=lambda: [DEFAULT_MEMORY])
    issue_modes: List[str] = msgspec.field(default_factory=lambda: ["latency"])
    cuda_graph: List[bool] = msgspec.field(default_factory=lambda: [False])
    variants: List[str] = msgspec.field(default_factory=lambda: [UNTUNED])
    """Of backends that have them: `tuned` takes what `make tune` found."""
    target: Optional[str] = None
    """What backends that compile for one are told to compile for: `x86-64-v3`, `nvidia/jetson-agx-xavier`. None is the
    machine that builds."""
    builds: int = 1
    """How often each engine is built; every build is an experiment of its own, since builds differ."""
    options: Dict[str, Dict[str, Option]] = {}
    """Backend to its own build options: `[experiments.options.tensorrt]` with `workspace_mb = 2048`."""


LISTS = tuple(name for name in Block.__struct_fields__ if name not in {"builds", "options", "target"})


def check_variants(blocks: Sequence[Block], where: str) -> None:
    """A variant that no backend beside it has would be measured by nobody, without a word."""
    of = {name: backends.variants(name) for name in backends.names()}
    names = list(dict.fromkeys([UNTUNED, *(one for each in of.values() for one in each)]))
    for variant in dict.fromkeys(one for block in blocks for one in block.variants):
        known("variant", variant, names, where)
        asked = {name for block in blocks if variant in block.variants for name in block.backends}
        if variant != UNTUNED and not any(variant in of[name] for name in asked):
            have = ", ".join(name for name, each in of.items() if variant in each)
            raise PlanError(f"{where}: variant {variant!r} is of {have}, which this plan does not measure with it")


def check_block(block: Block, where: Dict[str, str]) -> None:
    for name in LISTS:
        if not getattr(block, name):
            raise PlanError(f"{where[name]}: {name} is empty; name at least one")
    for backend in block.backends:
        known("backend", backend, backends.names(), where["backends"])
    for precision in block.precisions:
        known("precision", precision, PRECISIONS, where["precisions"])
    for memory in block.io_memory:
        known("I/O memory", memory, IO_MEMORY, where["io_memory"])
    for mode in block.issue_modes:
        known("issue mode", mode, ISSUE_MODES, where["issue_modes"])
    if block.target is not None and not block.target.strip():
        raise PlanError(f"{where['target']}: target is empty; name one, like x86-64-v3, or leave it out")
    for backend, options in block.options.items():
        _check_options(backend, options, where["options"])
    _check_counts(block, where)


def _check_counts(block: Block, where: Dict[str, str]) -> None:
    if not 1 <= block.builds <= MOST_BUILDS:
        limit = "the least is 1" if block.builds < 1 else f"the most is {MOST_BUILDS}"
        raise PlanError(f"{where['builds']}: builds is {block.builds}; {limit}")
    for batch in block.batch:
        if not 1 <= batch <= MOST_BATCH:
            limit = "the least is 1" if batch < 1 else f"the most is {MOST_BATCH}"
            raise PlanError(f"{where['batch']}: batch is {batch}; {limit}")
    for threads in block.threads:
        if threads != "all" and not (isinstance(threads, int) and 1 <= threads <= MOST_THREADS):
            what = f"give a count from 1 to {MOST_THREADS}, or 'all'"
            raise PlanError(f"{where['threads']}: threads is {threads!r}; {what}")


def _check_options(backend: str, options: Mapping[str, Option], where: str) -> None:
    """Against the names and types that the backend itself declares."""
    known("backend in options", backend, backends.names(), where)
    declared = backends.options(backend)
    for name, value in options.items():
        if not declared:
            raise PlanError(f"{where}: unknown option {name!r} of {backend}, which has none")
        known(f"option of {backend}", name, list(declared), where)
        kind = declared[name]
        # In Python a bool is an int; in a plan `true` is no number.
        right = type(value) in {int, float} if kind is float else type(value) is kind
        if not right:
            raise PlanError(f"{where}: option {name} of {backend} is {value!r}; it is {KINDS[kind]}")


def known(what: str, value: str, known: Sequence[str], where: str) -> None:
    if value not in known:
        raise PlanError(f"{where}: unknown {what} {value!r}{nearest(value, known)}")
