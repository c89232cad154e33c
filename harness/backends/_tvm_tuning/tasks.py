"""The parts of a model that TVM schedules on their own, each with the default schedule that it has without tuning."""

import json
from typing import Any, List, NamedTuple

from harness.backends._tvm_tuning import generation, prepared


class TuningTask(NamedTuple):
    """One task; two places of a model that need the same loops share one."""

    hash: str
    name: str
    weight: int
    """How often the model calls it."""
    module: Any
    default: str
    """JSON of the module as it is built without tuning."""
    args_info: List[Any]


def tasks_of(fused: Any, target: Any) -> List[TuningTask]:
    """Tasks of what `prepared.fused` gave, the same ones in the same order for the same module."""
    import tvm

    found = []
    for task in generation.extracted(fused, target):
        module = task.dispatched[0]
        with target:
            # Of a copy: DLight's pass schedules in place, and the search would be left with what it made.
            copied = tvm.IRModule(dict(module.functions_items()), attrs=module.attrs)
            default = tvm.transform.Sequential(prepared.default_schedules(target))(copied)
        arguments = json.loads(generation.entry_arguments(module))
        text = str(tvm.ir.save_json(default))
        hashed = generation.task_hash(module)
        found.append(TuningTask(hashed, str(task.task_name), int(task.weight), module, text, arguments))
    return sorted(found, key=lambda one: one.hash)
