"""The plan: a TOML file that names what is compared and how, and the flags or variables that overrule it.

Only this module knows the spelling of plans; `matrix.py` makes experiments of one. Precedence: flag > variable > plan >
default (flags and variables arrive here as one `Overrides`, already in that order).
"""

import os
import re
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import msgspec

from harness import backends
from harness.errors import PlanError
from harness.host import toml
from harness.host.block import Block, Threads, check_block, check_variants, known
from harness.host.models.naming import label
from harness.host.nearest import close, nearest
from harness.records import Record

PLANS = Path(__file__).resolve().parent.parent / "plans"
FLOOR = "null"
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
PILOT_ROUNDS = 8
"""The fewest rounds whose spread may decide how many more there are."""
VARIABLES = {"models": "MODEL"}
"""What a field is called where a flag or variable names it; the others are the field in capitals."""


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
        check_block(block, {name: overruled.get(name, where) for name in Block.__struct_fields__})
    if "variants" in overruled or "backends" not in overruled:  # else nobody has asked for both together
        check_variants(plan.experiments, overruled.get("variants", where))


def _check_sensing(plan: Plan, overruled: Dict[str, str], where: str) -> None:
    if plan.min_seconds is not None and plan.min_seconds > plan.max_seconds:
        what = f"min_seconds is {plan.min_seconds:g}, more than the budget of a cell"
        raise PlanError(f"{overruled.get('min_seconds', where)}: {what}; max_seconds is {plan.max_seconds:g}")
    if plan.sampling_s is not None and 0 < plan.sampling_s < LEAST_SAMPLING_S:
        what = f"sampling_s is {plan.sampling_s:g}; the least is {LEAST_SAMPLING_S:g}, or 0 for none"
        raise PlanError(f"{overruled.get('sampling_s', where)}: {what}")


def _check_baseline(baseline: str, blocks: Sequence[Block], where: str) -> None:
    """What is measured and computes something; of anything else a whole run would end with nothing to compare."""
    known("baseline", baseline, backends.names(), where)
    measured = list(dict.fromkeys(one for block in blocks for one in block.backends if one != FLOOR))
    if baseline == FLOOR:
        raise PlanError(f"{where}: baseline is {FLOOR!r}, which computes nothing; choose one of {', '.join(measured)}")
    if baseline in NO_BASELINES:
        raise PlanError(f"{where}: baseline is {baseline!r}; {NO_BASELINES[baseline]}")
    if baseline not in measured:
        what = f"whose backends are {', '.join(measured) or 'none that computes'}"
        raise PlanError(f"{where}: baseline {baseline!r} is not measured by this plan, {what}")


def models(plan: Plan) -> Dict[str, str]:
    """What each model is called in results, to how it was named; PlanError where two would be called alike."""
    found: Dict[str, str] = {}
    for reference in dict.fromkeys(one for block in plan.experiments for one in block.models):
        other = found.setdefault(label(reference), reference)
        if other != reference:
            raise PlanError(f"MODEL: {other} and {reference} would both be called {label(reference)}; rename a file")
    return found


def _explain(message: str, raw: Dict[str, Any]) -> str:
    """msgspec's message in a plan's words, with the nearest field where a field is unknown."""
    match = re.search(r"unknown field `(.+?)`(?: - at `\$(.*)`)?", message)
    if not match:
        missing = re.sub(r"^Object missing required field `(.+?)`", r"there is no field '\1'", message)
        what, _, where = missing.partition(" - at `$.")
        return f"{where.rstrip('`')}: {what}" if where else what
    fields: Tuple[str, ...] = Block.__struct_fields__ if match.group(2) else Plan.__struct_fields__
    return f"unknown field {match.group(1)!r}{nearest(match.group(1), fields)}"
