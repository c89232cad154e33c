"""What a plan's backend is taken by where it is not there: TensorRT-RTX for TensorRT, under its own name.

It is another product: its cells, engines and rows are `tensorrt_rtx`, and it is nobody's baseline.
"""

from typing import Iterable, List, Mapping, Set

import msgspec

from harness.host.block import Block
from harness.host.plan import Plan
from harness.records import BackendFacts, Machine, Option

INSTEAD = {"tensorrt": "tensorrt_rtx"}


def asked(names: Iterable[str]) -> Set[str]:
    """`names`, and whatever may have to take the place of one."""
    wanted = set(names)
    return wanted | {INSTEAD[name] for name in wanted if name in INSTEAD}


def taken(facts: Mapping[str, BackendFacts]) -> List[str]:
    """The backends that are not there, and whose place is taken."""
    return [name for name, other in INSTEAD.items() if _takes(facts, name, other)]


def applied(plan: Plan, facts: Mapping[str, BackendFacts]) -> Plan:
    """The plan as this machine can do it; options of the one are options of the other."""
    names = {name: INSTEAD[name] for name in taken(facts)}
    return msgspec.structs.replace(plan, experiments=[_block(block, names) for block in plan.experiments])


def without_unused(machine: Machine, names: Set[str]) -> Machine:
    """The machine without the facts of stand-ins that the plan neither names nor needs."""
    used = names | {INSTEAD[name] for name in taken(machine.backends)}
    kept = {name: facts for name, facts in machine.backends.items() if name in used}
    return msgspec.structs.replace(machine, backends=kept)


def _takes(facts: Mapping[str, BackendFacts], name: str, other: str) -> bool:
    return name in facts and other in facts and not facts[name].available and facts[other].available


def _block(block: Block, names: Mapping[str, str]) -> Block:
    backends = list(dict.fromkeys(names.get(one, one) for one in block.backends))
    options = {names.get(one, one): value for one, value in block.options.items()}
    return msgspec.structs.replace(block, backends=backends, options={**options, **_own(block, names)})


def _own(block: Block, names: Mapping[str, str]) -> Mapping[str, Mapping[str, Option]]:
    """What the plan says of the one that takes the place goes before what it says of the one that is not there."""
    return {other: block.options[other] for other in names.values() if other in block.options}
