"""The process that proposes candidates: `python -m harness.backends._tvm_tuning.searching`; it knows its own tasks.

It is told of a task once, with the trials that are known of it, and of the times of a batch before it thinks on.
"""

from typing import Any, Dict, List, Optional

from harness.backends._tvm_tuning.wire import Line


class Thinker:
    """Spaces of several tasks, and one cost model that learns from all of them."""

    def __init__(self, hello: Any) -> None:
        from harness.backends._tvm_tuning import candidate, generation

        self._generation = generation
        self._how = generation.How(*hello["how"])
        self._target = candidate.target_from(hello["target"])
        self._model = generation.cost_model(hello["cost_model"], self._how.threads, self._how.seed)
        self._spaces: Dict[int, Any] = {}
        self._proposed: Dict[int, List[Any]] = {}

    def proposals(self, message: Any) -> Any:
        """After what there is to learn; JSON."""
        for place, times_s in message["lessons"]:
            proposed = self._proposed.pop(place, [])
            if len(proposed) == len(times_s):
                self._spaces[place].learn(proposed, times_s)
        place = message["place"]
        if message["task"] is not None:
            self._proposed.pop(place, None)
            self._spaces[place] = self._space(message["task"])
        found = self._proposed[place] = self._spaces[place].propose()
        return [[one.module, one.trace, one.args_info] for one in found]

    def _space(self, task: Any) -> Any:
        module = self._generation.restored(task["workload"])
        known = task["known"]
        # Another seed once something is known: by the same one, chance would begin with what was tried already.
        how = self._how._replace(seed=self._how.seed + len(known))
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
    thinker = Thinker(next(messages))
    line.say({"ready": {}})
    from harness.backends._tvm_tuning.candidate import first_line

    for message in messages:
        try:
            line.say({"proposals": thinker.proposals(message), "reason": ""})
        except Exception as error:  # a task whose schedules TVM cannot make costs that task
            line.say({"proposals": [], "reason": first_line(error)})


if __name__ == "__main__":
    main()
