"""Writes a job's lines to the trial log the moment they are known, and counts what became of its candidates."""

import json
import time
from typing import Any, Dict, List, Sequence

from harness.backends._tvm_tuning.meter import CRASHED, INVALID, TIMED_OUT
from harness.records.tuning import Choice, Default, End, Job, Point, Task, Trial
from harness.trials import Log


class Journal:
    """Of one job."""

    def __init__(self, log: Log, job: Job, target: str) -> None:
        self._log, self._job = log, job.job
        self.target = target
        """As trials name it."""
        self._began = time.monotonic()
        self.trials = 0
        self.outcomes: Dict[str, int] = {INVALID: 0, TIMED_OUT: 0, CRASHED: 0}
        self.reasons: Dict[str, int] = {}
        """How often a candidate had no time, by why."""
        self.curve: List[Point] = []
        log.append(job)

    def seconds(self) -> float:
        return time.monotonic() - self._began

    def task(self, task: Any, workload: str) -> None:
        self._log.append(Task(task=task.hash, name=task.name, weight=task.weight, workload=workload))

    def trial(self, task: str, trace: str, args_info: str, times_s: Sequence[float]) -> None:
        self._log.append(
            Trial(
                job=self._job,
                task=task,
                trace=trace,
                args_info=args_info,
                target=self.target,
                times_ns=nanoseconds(times_s),
                seconds=round(self.seconds(), 3),
            )
        )
        self.trials += 1

    def default(self, task: str, times_s: Sequence[float]) -> None:
        self._log.append(Default(job=self._job, task=task, times_ns=nanoseconds(times_s)))

    def no_time(self, outcome: str, reason: str) -> None:
        self.outcomes[outcome] += 1
        self.reasons[reason] = self.reasons.get(reason, 0) + 1

    def point(self, whole_s: float) -> None:
        self.curve.append(Point(round(self.seconds(), 1), self.trials, whole_s * 1e9))

    def choice(
        self, task: str, trace_hash: str, trials: int, default: List[float], tuned: List[float], why: str
    ) -> None:
        self._log.append(
            Choice(
                job=self._job,
                task=task,
                trace_sha256=trace_hash,
                trials=trials,
                default_ns=default,
                tuned_ns=tuned,
                kept=not why,
                why=why,
            )
        )

    def end(self, measuring_s: float) -> End:
        line = End(
            job=self._job,
            trials=self.trials,
            invalid=self.outcomes[INVALID],
            timed_out=self.outcomes[TIMED_OUT],
            crashed=self.outcomes[CRASHED],
            seconds=round(self.seconds(), 3),
            measuring_seconds=round(measuring_s, 3),
            curve=self.curve,
        )
        self._log.append(line)
        return line


def nanoseconds(times_s: Sequence[float]) -> List[float]:
    return [round(one * 1e9, 1) for one in times_s]


def arguments(args_info: str) -> List[Any]:
    return list(json.loads(args_info))
