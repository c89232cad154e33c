"""From a graph and a trial log to the module of a tuned engine: every kept schedule applied, none without a place."""

from pathlib import Path
from typing import Any, Dict, Tuple

from harness import schedules, trials
from harness.backends._tvm_tuning import generation, prepared
from harness.errors import BuildError


def tuned(module: Any, target: Any, log: Path) -> Tuple[Any, Dict[str, str]]:
    """The module ready for code generation, and how it was made, for a reader.

    Raises BuildError where a kept schedule belongs to no part of this graph: the records are then of another one,
    whatever their header says, and a half-tuned engine would pass for a tuned one.
    """
    contents = trials.read(log)
    name = schedules.form(contents)
    if name not in prepared.FORMS:
        raise BuildError(f"the tuning records are of a graph in the form {name!r}, which this harness does not know")
    form = prepared.FORMS[name]
    loops = prepared.fused(module, target, form)
    modules = [task.dispatched[0] for task in generation.extracted(loops, target)]
    parts = {generation.task_hash(one): one for one in modules}
    kept = schedules.chosen(contents)
    strangers = [one.task.name for one in kept if one.task.task not in parts]
    if strangers:
        raise BuildError(
            f"{len(strangers)} of {len(kept)} tuned schedules fit no part of this model ({strangers[0]}, say): the "
            "records are of another graph; tune anew"
        )
    database = generation.memory_database()
    for one in kept:
        try:
            generation.chosen(database, parts[one.task.task], one.trial.trace, one.trial.args_info, one.trial.target)
        except Exception as error:  # TVM raises classes of many kinds for a record that it cannot read
            raise BuildError(f"the schedule of {one.task.name} cannot be read: {type(error).__name__}") from error
    made = prepared.scheduled(loops, target, form, database)
    settings = {"graph": form.words(), "tuned_tasks": f"{len(kept)} of {len(parts)}"}
    return prepared.lowered(made, target), settings
