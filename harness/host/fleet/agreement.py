"""Whether boards can measure for one tuning job: trials are kept by target and TVM's version, and their times compared,
so those must be one, and the boards of one kind."""

from typing import Dict, List, Mapping, Optional

from harness.errors import PlanError
from harness.records import BackendFacts, Machine
from harness.records.tuning import without_driver

BACKEND = "tvm"


def check(machines: Mapping[str, Machine], here: Machine, target: Optional[str] = None) -> None:
    """Raises PlanError where the boards, by their names, cannot serve one job that compiles on the machine `here`.

    `target` is what the job compiles for by name; without one it is what TVM finds here.
    """
    facts = {name: machine.backends[BACKEND] for name, machine in machines.items()}
    ours = here.backends[BACKEND]
    if not ours.available:
        raise PlanError(f"tune: this machine compiles for the boards, and cannot: {ours.reason}")
    missing = [f"{name} ({one.reason})" for name, one in facts.items() if not one.available]
    if missing:
        raise PlanError(f"BOARD: no TVM on {', '.join(missing)}; leave it out or mend it")
    _check_versions(facts, ours)
    _check_targets(facts, ours, target)
    _check_kinds(machines)


def _check_kinds(machines: Mapping[str, Machine]) -> None:
    """One chip is sold in several modules, one target fits many chips."""
    by_kind: Dict[str, List[str]] = {}
    for name, one in machines.items():
        words = [one.module, one.cpu_model, without_driver(one.cuda_device or "")]
        by_kind.setdefault(", ".join(word for word in words if word), []).append(name)
    if len(by_kind) > 1:
        said = "; ".join(f"{', '.join(names)}: {kind}" for kind, names in by_kind.items())
        raise PlanError(
            f"BOARD: these boards are of different kinds ({said}), whose times cannot be compared: tune on each kind, "
            "and put what was found together with make tune-merge"
        )


def _check_versions(facts: Dict[str, BackendFacts], ours: BackendFacts) -> None:
    others = [f"{name} runs {one.version}" for name, one in facts.items() if one.version != ours.version]
    if others:
        raise PlanError(
            f"BOARD: {' and '.join(others)}, this machine compiles with TVM {ours.version}: a library is loaded by the "
            "version that made it. Tune on such a board itself: make tune with that board alone, and no other"
        )


def _check_targets(facts: Dict[str, BackendFacts], ours: BackendFacts, target: Optional[str]) -> None:
    by_target: Dict[str, List[str]] = {}
    for name, one in facts.items():
        by_target.setdefault(one.architecture, []).append(name)
    if len(by_target) > 1:
        said = "; ".join(f"{', '.join(names)}: {architecture}" for architecture, names in by_target.items())
        raise PlanError(f"BOARD: these boards have different targets ({said}); trials are kept by target: tune each")
    (architecture,) = by_target
    if target is None and architecture != ours.architecture:
        raise PlanError(
            f"BOARD: {', '.join(facts)} need code for {architecture}, and TVM here compiles for {ours.architecture} "
            "unless it is told otherwise: name what to compile for (TARGET=nvidia/jetson-agx-orin-64gb, say)"
        )
