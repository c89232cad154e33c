"""The plan: a TOML file that names what is compared and how, and the flags or variables that overrule it.

Only this module knows the spelling of plans; `matrix.py` makes experiments of one. Precedence: flag > variable > plan >
default (flags and variables arrive here as one `Overrides`, already in that order).
"""

import os
import re
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import msgspec

from harness import backends
from harness.errors import PlanError
from harness.host import toml
from harness.host.models.naming import label
from harness.host.nearest import close, nearest
from harness.records import Option, Record

PLANS = Path(__file__).resolve().parent.parent / "plans"
PRECISIONS = ("fp32", "tf32", "fp16", "int8")
DEFAULT_MEMORY = "default"
"""Each backend's own first choice of where inputs and outputs lie."""
IO_MEMORY = (DEFAULT_MEMORY, "host", "pinned", "mapped", "managed")
ISSUE_MODES = ("latency", "throughput")
FLOOR = "null"
UNTUNED = "untuned"
NO_BASELINES = {"tensorrt_rtx": "it is another product than TensorRT, and nobody's baseline"}
BOUNDS: Dict[str, Tuple[float, float]] = {
    "rounds": (1, 10_000),
    "warmup": (2, 10_000_000),
    "iterations": (10, 10_000_000),
    "max_seconds": (0.001, 7 * 86_400),
    "min_seconds": (0.001, 86_400),
    "sampling_s": (0, 60),
    "time_limit_s": (1, 365 * 86_400),
    "seed": (0, 2**32 - 1),
}
"""Least and most of every number; the seed's are those of numpy's frozen generator, which draws the inputs."""
LEAST_SAMPLING_S = 0.01
"""Power sensors tell a new value ten times a second; asking more often than this would be felt by what is measured."""
MOST_BATCH, MOST_THREADS, MOST_BUILDS = 65_536, 65_536, 1_000
PILOT_ROUNDS = 8
"""The fewest rounds whose spread may decide how many more there are."""
VARIABLES = {"models": "MODEL"}
"""What a field is called where a flag or variable names it; the others are the field in capitals."""
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


class Until(Record, frozen=True):
    """How narrow every ratio's interval is to be, and how long that may take."""

    half_width: float
    """Of the 95 % interval, as a share of the ratio: 0.01 is 1 %."""
    limit_s: float = 7200.0
    """Of the whole run, the pilot included."""

    def words(self) -> str:
        return f"{self.half_width * 100:g}%,{self.limit_s / 60:g}m"


class Plan(Record, frozen=True):
    """A plan file, as written."""

    title: str
    experiments: List[Block]
    rounds: int = 5
    warmup: int = 20
    iterations: int = 100
    max_seconds: float = 60.0
    min_seconds: Optional[float] = None
    """Least duration of a cell's iterations, which energy asks for; None is as long as they take."""
    sampling_s: Optional[float] = None
    """Between two readings of the sensors; 0 leaves them alone, None is the default of ten a second."""
    time_limit_s: Optional[float] = None
    """Wall-clock limit of one worker; None is 10 times max_seconds plus two minutes."""
    seed: int = 1
    baseline: Optional[str] = None
    shapes: Dict[str, List[int]] = {}
    """Sizes of the inputs of models that are given as files with dynamic dimensions, by input name."""
    calibration: Optional[str] = None
    """A folder of images that INT8 engines are calibrated with."""
    until: Optional[Until] = None
    """Then `rounds` are a pilot, whose spread decides how many are added."""

    def worker_limit_s(self) -> float:
        return self.time_limit_s if self.time_limit_s is not None else 10 * self.max_seconds + 120


class Overrides(Record, frozen=True):
    """What flags and variables say; None leaves the plan's word."""

    models: Optional[List[str]] = None
    backends: Optional[List[str]] = None
    precisions: Optional[List[str]] = None
    batch: Optional[List[int]] = None
    threads: Optional[List[Threads]] = None
    io_memory: Optional[List[str]] = None
    issue_modes: Optional[List[str]] = None
    cuda_graph: Optional[List[bool]] = None
    variants: Optional[List[str]] = None
    target: Optional[str] = None
    builds: Optional[int] = None
    rounds: Optional[int] = None
    warmup: Optional[int] = None
    iterations: Optional[int] = None
    max_seconds: Optional[float] = None
    min_seconds: Optional[float] = None
    sampling_s: Optional[float] = None
    seed: Optional[int] = None
    baseline: Optional[str] = None
    shapes: Optional[Dict[str, List[int]]] = None
    calibration: Optional[str] = None
    until: Optional[Until] = None


def find(name: str) -> Path:
    """The file of a plan given by name (`demo`) or by path."""
    for path in (Path(name), PLANS / f"{name}.toml", PLANS / name):
        if path.is_file():
            return path
    known = sorted(path.stem for path in PLANS.glob("*.toml"))
    raise PlanError(f"plan: no plan {name!r}{close(name, known)}; give a path, or one of {', '.join(known)}")


def load(name: str, overrides: Overrides) -> Plan:
    """The plan `name` with what overrules it, every value checked but those only a board or models/ can tell."""
    path = find(name)
    raw = toml.load(path)
    try:
        plan = msgspec.convert(raw, Plan)
    except msgspec.ValidationError as error:
        raise PlanError(f"{path}: {_explain(str(error), raw)}") from None
    fields = {name: value for name, value in msgspec.structs.asdict(overrides).items() if value is not None}
    block = {name: fields.pop(name) for name in list(fields) if name in Block.__struct_fields__}
    plan = msgspec.structs.replace(
        plan, **fields, experiments=[msgspec.structs.replace(one, **block) for one in plan.experiments]
    )
    check(plan, {name: VARIABLES.get(name, name.upper()) for name in (*fields, *block)}, str(path))
    if plan.until is not None and plan.rounds < PILOT_ROUNDS:
        plan = msgspec.structs.replace(plan, rounds=PILOT_ROUNDS)
    return plan


def check(plan: Plan, overruled: Dict[str, str], where: str) -> None:
    """Raises PlanError for the first value that cannot be, with the nearest one that can.

    `where` is the plan's file; `overruled` has the variable of every field that is not from there.
    """
    for name, (low, high) in BOUNDS.items():
        value = getattr(plan, name)
        if value is not None and not low <= value <= high:  # said this way round, NaN is refused as well
            limit = f"the most is {high}" if value > high else f"the least is {low}"
            raise PlanError(f"{overruled.get(name, where)}: {name} is {value}; {limit}")
    if plan.until is not None and not (
        0.0005 <= plan.until.half_width <= 0.5 and 1 <= plan.until.limit_s <= 30 * 86_400
    ):
        what = "a half-width from 0.05 to 50 % within a second to 30 days"
        raise PlanError(f"{overruled.get('until', where)}: until is {plan.until.words()}; give {what}")
    _check_sensing(plan, overruled, where)
    if not plan.experiments:
        raise PlanError(f"{where}: there is no [[experiments]]; a plan needs at least one")
    if plan.baseline is not None:
        _check_baseline(plan.baseline, plan.experiments, overruled.get("baseline", where))
    if plan.calibration is not None and not os.path.isdir(plan.calibration):  # noqa: PTH112 (it raises for no name)
        raise PlanError(f"{overruled.get('calibration', where)}: there is no folder {plan.calibration!r} of images")
    for block in plan.experiments:
        _check_block(block, {name: overruled.get(name, where) for name in Block.__struct_fields__})
    _check_variants(plan.experiments, overruled.get("variants", where))


def _check_sensing(plan: Plan, overruled: Dict[str, str], where: str) -> None:
    if plan.min_seconds is not None and plan.min_seconds > plan.max_seconds:
        what = f"min_seconds is {plan.min_seconds:g}, more than the budget of a cell"
        raise PlanError(f"{overruled.get('min_seconds', where)}: {what}; max_seconds is {plan.max_seconds:g}")
    if plan.sampling_s is not None and 0 < plan.sampling_s < LEAST_SAMPLING_S:
        what = f"sampling_s is {plan.sampling_s:g}; the least is {LEAST_SAMPLING_S:g}, or 0 for none"
        raise PlanError(f"{overruled.get('sampling_s', where)}: {what}")


def _check_baseline(baseline: str, blocks: Sequence[Block], where: str) -> None:
    """What is measured and computes something; of anything else a whole run would end with nothing to compare."""
    _known("baseline", baseline, backends.names(), where)
    measured = list(dict.fromkeys(one for block in blocks for one in block.backends if one != FLOOR))
    if baseline == FLOOR:
        raise PlanError(f"{where}: baseline is {FLOOR!r}, which computes nothing; choose one of {', '.join(measured)}")
    if baseline in NO_BASELINES:
        raise PlanError(f"{where}: baseline is {baseline!r}; {NO_BASELINES[baseline]}")
    if baseline not in measured:
        what = f"whose backends are {', '.join(measured) or 'none that computes'}"
        raise PlanError(f"{where}: baseline {baseline!r} is not measured by this plan, {what}")


def _check_variants(blocks: Sequence[Block], where: str) -> None:
    """A variant that no backend beside it has would be measured by nobody, without a word."""
    of = {name: backends.variants(name) for name in backends.names()}
    known = list(dict.fromkeys([UNTUNED, *(one for each in of.values() for one in each)]))
    for variant in dict.fromkeys(one for block in blocks for one in block.variants):
        _known("variant", variant, known, where)
        asked = {name for block in blocks if variant in block.variants for name in block.backends}
        if variant != UNTUNED and not any(variant in of[name] for name in asked):
            have = ", ".join(name for name, each in of.items() if variant in each)
            raise PlanError(f"{where}: variant {variant!r} is of {have}, which this plan does not measure with it")


def _check_block(block: Block, where: Dict[str, str]) -> None:
    for name in LISTS:
        if not getattr(block, name):
            raise PlanError(f"{where[name]}: {name} is empty; name at least one")
    for backend in block.backends:
        _known("backend", backend, backends.names(), where["backends"])
    for precision in block.precisions:
        _known("precision", precision, PRECISIONS, where["precisions"])
    for memory in block.io_memory:
        _known("I/O memory", memory, IO_MEMORY, where["io_memory"])
    for mode in block.issue_modes:
        _known("issue mode", mode, ISSUE_MODES, where["issue_modes"])
    if block.target is not None and not block.target.strip():
        raise PlanError(f"{where['target']}: target is empty; name one, like x86-64-v3, or leave it out")
    if not 1 <= block.builds <= MOST_BUILDS:
        limit = "the least is 1" if block.builds < 1 else f"the most is {MOST_BUILDS}"
        raise PlanError(f"{where['builds']}: builds is {block.builds}; {limit}")
    for backend, options in block.options.items():
        _check_options(backend, options, where["options"])
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
    _known("backend in options", backend, backends.names(), where)
    known = backends.options(backend)
    for name, value in options.items():
        if not known:
            raise PlanError(f"{where}: unknown option {name!r} of {backend}, which has none")
        _known(f"option of {backend}", name, list(known), where)
        kind = known[name]
        # In Python a bool is an int; in a plan `true` is no number.
        right = type(value) in {int, float} if kind is float else type(value) is kind
        if not right:
            raise PlanError(f"{where}: option {name} of {backend} is {value!r}; it is {KINDS[kind]}")


def models(plan: Plan) -> Dict[str, str]:
    """What each model is called in results, to how it was named; PlanError where two would be called alike."""
    found: Dict[str, str] = {}
    for reference in dict.fromkeys(one for block in plan.experiments for one in block.models):
        other = found.setdefault(label(reference), reference)
        if other != reference:
            raise PlanError(f"MODEL: {other} and {reference} would both be called {label(reference)}; rename a file")
    return found


def _known(what: str, value: str, known: Sequence[str], where: str) -> None:
    if value not in known:
        raise PlanError(f"{where}: unknown {what} {value!r}{nearest(value, known)}")


def _explain(message: str, raw: Dict[str, Any]) -> str:
    """msgspec's message in a plan's words, with the nearest field where a field is unknown."""
    match = re.search(r"unknown field `(.+?)`(?: - at `\$(.*)`)?", message)
    if not match:
        missing = re.sub(r"^Object missing required field `(.+?)`", r"there is no field '\1'", message)
        what, _, where = missing.partition(" - at `$.")
        return f"{where.rstrip('`')}: {what}" if where else what
    fields: Tuple[str, ...] = Block.__struct_fields__ if match.group(2) else Plan.__struct_fields__
    return f"unknown field {match.group(1)!r}{nearest(match.group(1), fields)}"
