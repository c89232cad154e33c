"""What a user asked for: the plan with what overrules it, where, and the command that would do the same again."""

import shlex
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Tuple

from harness.host import options
from harness.host import plan as plans
from harness.host.plan import Plan

LISTS = ("model", "backends", "precisions", "batch", "threads", "io_memory", "issue_modes", "cuda_graph", "variants")
NUMBERS = ("seed", "rounds", "warmup", "iterations", "max_seconds", "min_seconds", "sampling_s")
PLAIN = ("target", "builds", "calibration", *NUMBERS, "baseline")


class Request(NamedTuple):
    """What a user asked of `make bench`."""

    plan: Plan
    plan_name: str
    command: str
    models_dir: Path
    results: Path
    boards: Tuple[str, ...] = ("local",)
    jetpack: Optional[str] = None
    """Pin of the containers to measure in; None leaves that to the board."""
    run: Optional[str] = None
    retry: Optional[str] = None


def requested(given: Dict[str, Any], default_plan: str) -> Request:
    """What click collected, as a request."""
    name = given["plan"] or default_plan
    return Request(
        plan=plans.load(name, options.overrides(**given)),
        plan_name=Path(name).stem,
        command=_command(given, name),
        models_dir=given["models_dir"],
        results=given["results"],
        boards=tuple(given["board"]),
        jetpack=given["jetpack"],
        run=given.get("run"),
        retry=given.get("retry"),
    )


def _command(given: Dict[str, Any], plan: str) -> str:
    words = ["make", "bench", f"PLAN={plan}"]
    for name in LISTS:
        if given.get(name):
            words.append(f"{name.upper()}={','.join(_word(one) for one in given[name])}")
    if given.get("shapes"):
        sizes = {name: "x".join(str(size) for size in one) for name, one in given["shapes"].items()}
        words.append("SHAPES=" + ",".join(f"{name}:{size}" for name, size in sizes.items()))
    if given.get("until"):
        words.append(f"UNTIL={given['until'].words()}")
    if given["jetpack"]:
        words.append(f"JETPACK={given['jetpack']}")
    if list(given["board"]) != ["local"]:
        words.append(f"BOARD={','.join(given['board'])}")
    words += [f"{name.upper()}={given[name]}" for name in PLAIN if given.get(name) is not None]
    return " ".join(shlex.quote(word) for word in words)


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
