"""The process that proposes candidates: `python -m harness.backends._tvm_tuning.searching`; it knows its own tasks.

It is told of a task once, with the trials that are known of it, and of the times of a batch before it thinks on.
"""

import time
from typing import Any, Dict, List, Optional

from harness.backends._tvm_tuning.wire import Line, keep_to


class Thinker:
    """Spaces of several tasks, and one cost model that learns from all of them."""

    def __init__(self, hello: Any) -> None:
        from harness.backends._tvm_tuning import candidate, generation, gpus, guided_space
        from harness.backends._tvm_tuning.guided import Correction

        self._generation, self._guided_space = generation, guided_space
        self._how = generation.How(*hello["how"])
        self._target = candidate.target_from(hello["target"])
        self._model = generation.cost_model(hello["cost_model"], self._how.threads, self._how.seed)
        self._correction = Correction(hello["cost_model"], self._how.threads, self._how.seed)
        # What a guided search needs to know; another one is not told.
        self._gpu = None if hello["gpu"] is None else gpus.Gpu(*hello["gpu"])
        self._spaces: Dict[int, Any] = {}
        self._proposed: Dict[int, List[Any]] = {}

    def proposals(self, message: Any) -> Any:
        """After what there is to learn; JSON."""
        for place, times_s in message["lessons"]:
            proposed = self._proposed.pop(place, [])
            if proposed and len(proposed) == len(times_s):
                self._spaces[place].learn(proposed, times_s)
        place = message["place"]
        if message["task"] is not None:
            self._proposed.pop(place, None)
            self._spaces[place] = self._space(message["task"])
        began = time.monotonic()
        found = self._proposed[place] = self._spaces[place].propose()
        seconds = time.monotonic() - began
        return {"proposals": [[one.module, one.trace, one.args_info] for one in found], "seconds": seconds}

    def _space(self, task: Any) -> Any:
        module = self._generation.restored(task["workload"])
        known = task["known"]
        # Another seed once something is known: by the same one, chance would begin with what was tried already.
        how = self._how._replace(seed=self._how.seed + len(known), batch=task["batch"])
        space: Any = None
        if self._gpu is not None:
            named = (module, self._target, task["name"])
            space = self._guided_space.space_of(*named, how, self._correction, self._gpu)
        if space is None:
            space = self._generation.Space(module, self._target, task["name"], how, self._model)
        remembered = []
        for trace, args_info, times_s in known:
            candidate: Optional[Any] = space.remember(trace, args_info, times_s)
            if candidate is not None:
                remembered.append((candidate, times_s))
        space.recall(remembered)
        return space


def main() -> None:
    line = Line()
    messages = line.messages()
    hello = next(messages)
    keep_to(hello["cores"])
    thinker = Thinker(hello)
    line.say({"ready": {}})
    from harness.backends._tvm_tuning.candidate import first_line

    for message in messages:
        try:
            line.say({**thinker.proposals(message), "reason": ""})
        except Exception as error:  # a task whose schedules TVM cannot make costs that task
            line.say({"proposals": [], "seconds": 0.0, "reason": first_line(error)})


if __name__ == "__main__":
    main()
