"""Which facts of a run must be the same for its times to be compared with another's, and which are only said.

Conditions are what the machine was and what was asked of it: across a difference in one of them there is a border, and
no verdict. All else is what a history is there to judge (a new runtime, a rebuilt engine, the harness itself) or moves
by itself (a reboot): it is said beside the first run that has it, and compared across. A fact that a later harness adds
to `machine.json` is said until it is named here.
"""

from typing import Any, Dict, List, Mapping, Sequence

import msgspec
from msgspec import UNSET

from harness.host import machines
from harness.host.history import watched
from harness.host.report.collect import Row
from harness.host.runs import RunData
from harness.records import Experiment, Machine

OF_MACHINE = (
    "module",
    "architecture",
    "cpu_model",
    "logical_cpus",
    "allowed_threads",
    "cuda_device",
    "kernel",
    "l4t",
    "power_mode",
    "governor",
)
"""`cuda_device` has the driver's version in it."""
OF_CONTAINER = ("gpu", "memory_limit_bytes")
OF_INFERENCE = ("threads", "io_memory", "issue_mode", "cuda_graph")
"""What sets one experiment apart from another; the rest (warm-ups, iterations, budgets) are conditions."""
NEITHER = (*machines.NOT_COMPARED, *OF_MACHINE, "board", "schema", "backends", "container")
LONGEST = 40
"""Characters of a value."""
Facts = Dict[str, Any]


def conditions(data: RunData, row: Row) -> Facts:
    """What was the same for runs that may be compared."""
    experiment, machine = row.experiment, msgspec.to_builtins(data.machine)
    found: Facts = {name: machine[name] for name in OF_MACHINE}
    found.update(_container(data.machine, OF_CONTAINER))
    found.update(watched.state(row.results))
    built_for = experiment.build.target if row.engine is None else row.engine.ingredients.build.target
    found["compiled for"] = built_for or _backend(data, experiment, "architecture")
    inference = msgspec.to_builtins(experiment.inference)
    found.update({name: value for name, value in inference.items() if name not in OF_INFERENCE})
    shas = {model.reference: model.sha256[:12] for model in data.run.models}
    found["model sha256"] = shas.get(experiment.build.model)
    return _known(found)


def said(data: RunData, row: Row) -> Facts:
    """What else might explain another time."""
    engine, machine = row.engine, msgspec.to_builtins(data.machine)
    found: Facts = {name: value for name, value in machine.items() if name not in NEITHER}
    found.update(_container(data.machine, ("image", "engine_version")))
    found["version"] = _backend(data, row.experiment, "version")
    found["variant"] = row.variant
    found["seed"] = data.run.plan.seed
    if engine is not None:
        found["engine built"] = engine.built_utc
        found["layers run in"] = ", ".join(f"{count} {name}" for name, count in sorted(engine.executed.items()))
        found.update({f"builder {name}": value for name, value in engine.settings.items()})
    return _known(found)


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> List[str]:
    """`kernel 6.1 → 6.2`, a fact each; one that was not told on a side is `?`."""
    found = []
    for name in {**before, **now}:
        was, is_ = before.get(name), now.get(name)
        if was != is_:
            found.append(WORDS.get(name) or f"{name.replace('_', ' ')} {_short(was)} → {_short(is_)}")
    return found


WORDS = {"boot_id": "rebooted", "engine built": "engine built anew"}
"""Facts whose values say nothing to anybody."""


def _short(value: Any) -> str:
    text = "?" if value is None else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _backend(data: RunData, experiment: Experiment, name: str) -> str:
    facts = data.machine.backends.get(experiment.build.backend)
    return "" if facts is None else str(getattr(facts, name))


def _container(machine: Machine, names: Sequence[str]) -> Facts:
    return (
        {} if machine.container is None else {f"container {name}": getattr(machine.container, name) for name in names}
    )


def _known(facts: Facts) -> Facts:
    """Without what nobody told, so that a fact that no earlier record had is no difference where it says nothing."""
    return {name: value for name, value in facts.items() if value is not None and value is not UNSET and value != ""}
