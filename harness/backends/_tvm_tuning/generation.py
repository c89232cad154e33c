"""What this house asks of TVM's MetaSchedule, and the only file that imports it.

A search works with the classes here; where it lies in each generation of TVM, `_tvm_generation.part` knows.
"""

import functools
import json
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

from harness.backends._tvm_generation import part
from harness.backends._tvm_tuning.rules import GUIDED_UNROLLED, REPLAY, UNROLLED, by_chance, space, strategy
from harness.backends._tvm_tuning.traces import revived, written
from harness.errors import Unsupported

GUIDED = "guided"
"""Ours, for GPUs: `guided.py`. The others are TVM's."""
STRATEGIES = (GUIDED, "evolutionary", REPLAY)
COST_MODELS = ("xgb", "random")


class Candidate(NamedTuple):
    """What a space proposes, and what is handed on of it."""

    live: Any
    """What its space learns from: TVM's object, or the choice that it was."""
    module: str
    """JSON of its scheduled module."""
    trace: str
    args_info: str


@functools.lru_cache(maxsize=None)
def schedules() -> Any:
    """TVM's MetaSchedule, wherever this version keeps it; raises Unsupported where a part of it is missing."""
    try:
        meta_schedule = part("meta_schedule")
    except ImportError as error:
        raise Unsupported(f"tvm cannot tune here: {error}") from error
    meta_schedule.utils.cpu_count()  # asks psutil
    return meta_schedule


def cost_model(kind: str, threads: int, seed: int) -> Any:
    ms = schedules()
    if kind == "random":
        return ms.cost_model.RandomModel(seed=seed)
    from harness.backends._tvm_tuning.trees import boosted_trees

    return boosted_trees(ms, threads, seed)


def extracted(module: Any, target: Any) -> List[Any]:
    """Tasks of a module whose operators are fused loops; each has `task_name`, `weight` and its module."""
    return list(schedules().relax_integration.extract_tasks(module, target))


def workload(module: Any) -> str:
    """JSON of a task's module."""
    return json.dumps(schedules().database.Workload(module).as_json())


def restored(workload: str) -> Any:
    """The module that `workload` wrote."""
    return schedules().database.Workload.from_json(json.loads(workload)).mod


def task_hash(module: Any) -> str:
    return str(schedules().utils.shash2hex(module))


class Rules:
    """What TVM's rules make of one task, with nobody choosing."""

    def __init__(self, module: Any, target: Any, name: str, how: "How") -> None:
        self._module = module
        walks = strategy(schedules(), True, target)
        self._context = _context(schedules(), module, target, walks, name, how, GUIDED_UNROLLED)
        self._info = entry_arguments(module)
        self.failed: Optional[Exception] = None
        """What TVM last raised instead of a schedule."""

    def sketches(self) -> List[Any]:
        """Schedules with decisions by chance, one of each shape."""
        return list(self._context.space_generator.generate_design_space(self._module))

    def finished(self, trace: Any, live: Any) -> Optional[Candidate]:
        """A candidate of a trace with all decisions; None where one breaks a rule."""
        import tvm

        schedule = part("schedule").Schedule(self._module, debug_mask="none", error_render_level="none")
        try:
            trace.apply_to_schedule(schedule, remove_postproc=True)
            schedule.enter_postproc()
            if not all(one.apply(schedule) for one in self._context.space_generator.postprocs):
                return None
        except Exception as error:  # what TVM raises for a schedule that cannot be is of many classes
            self.failed = error
            return None
        return Candidate(live, str(tvm.ir.save_json(schedule.mod)), written(schedule.trace), self._info)


class Space:
    """All schedules of one task, as its strategy walks through them.

    The evolutionary search begins with a batch by chance: with nothing to breed from it would cost several times as
    much, for little.
    """

    def __init__(self, module: Any, target: Any, name: str, how: "How", model: Any) -> None:
        ms = schedules()
        self._model, database = model, ms.database.MemoryDatabase()
        self._by_chance = by_chance(how.strategy, module)
        walks = strategy(ms, self._by_chance, target)
        self._context = _context(ms, module, target, walks, name, how)
        self._context.pre_tuning(1 << 30, how.batch, None, database, model)
        self._first = None
        if not self._by_chance:
            self._first = _context(ms, module, target, strategy(ms, True, target), name, how)
            self._first.pre_tuning(1 << 30, how.batch, None, database, model)
        self._workload = ms.database.Workload(module)
        self._database, self._target = database, target
        database.commit_workload(module)

    def propose(self) -> List[Candidate]:
        """The next batch; empty where the strategy has nothing more to offer."""
        import tvm

        found = []
        for candidate in (self._first or self._context).generate_measure_candidates() or []:
            module = str(tvm.ir.save_json(candidate.sch.mod))
            info = json.dumps([one.as_json() for one in candidate.args_info])
            found.append(Candidate(candidate, module, written(candidate.sch.trace), info))
        return found

    def learn(self, proposals: Sequence[Candidate], times_s: Sequence[Sequence[float]]) -> None:
        """Times of a batch that was proposed, in its order; no times where a candidate had none."""
        ms = schedules()
        results = [ms.runner.RunnerResult(list(one) or None, None if one else "no time") for one in times_s]
        candidates = [one.live for one in proposals]
        for candidate, times in zip(candidates, times_s):
            self._database.commit_tuning_record(self._record(candidate, list(times) or [1e10]))
        self._model.update(self._context, candidates, results)
        (self._first or self._context).notify_runner_results(candidates, results)
        self._first = None

    def remember(self, trace: str, args_info: str, times_s: Sequence[float]) -> Optional[Any]:
        """A trial of an earlier job: into the database, and back as a candidate for `recall`; None if it is no more, or
        if chance alone draws: that learns nothing, and making it again takes as long as another one."""
        if self._by_chance:
            return None
        ms = schedules()
        try:
            record = ms.database.TuningRecord.from_json(
                [revived(trace), list(times_s), json.loads(spelled(self._target)), json.loads(args_info)],
                self._database.commit_workload(self._workload.mod),
            )
            candidate = record.as_measure_candidate()
        except Exception:  # of a module that is no longer the same, or that another rule had shaped
            return None
        self._database.commit_tuning_record(record)
        return candidate

    def recall(self, remembered: Sequence[Tuple[Any, Sequence[float]]]) -> None:
        """Has the cost model learn from candidates of earlier jobs."""
        if remembered:
            results = [schedules().runner.RunnerResult(list(times), None) for _, times in remembered]
            self._model.update(self._context, [candidate for candidate, _ in remembered], results)
            self._first = None

    def _record(self, candidate: Any, times: Optional[List[float]]) -> Any:
        record = schedules().database.TuningRecord
        return record(candidate.sch.trace, self._workload, times, self._target, candidate.args_info)


class How(NamedTuple):
    """The settings that all tasks of a job share."""

    strategy: str
    batch: int
    threads: int
    """That searching itself may take."""
    cores: int
    """That a candidate may take: loops are cut into some more parallel parts than that."""
    seed: int


def memory_database() -> Any:
    return schedules().database.MemoryDatabase()


def chosen(database: Any, module: Any, trace: str, args_info: str, target: str) -> None:
    """Puts the one schedule of a task into a database that an engine is built from; raises what TVM raises."""
    ms = schedules()
    record = [revived(trace), [1.0], json.loads(target), json.loads(args_info)]
    database.commit_tuning_record(ms.database.TuningRecord.from_json(record, database.commit_workload(module)))


def rebuilt(workload: str, trace: str, args_info: str, target: str) -> str:
    """JSON of the module that a trial of the log had scheduled."""
    import tvm

    ms = schedules()
    record = [revived(trace), [1.0], json.loads(target), json.loads(args_info)]
    of = ms.database.Workload.from_json(json.loads(workload))
    return str(tvm.ir.save_json(ms.database.TuningRecord.from_json(record, of).as_measure_candidate().sch.mod))


def entry_arguments(module: Any) -> str:
    """JSON of what the module's function takes."""
    return json.dumps([one.as_json() for one in schedules().arg_info.ArgInfo.from_entry_func(module, True)])


def spelled(target: Any) -> str:
    from harness.backends._tvm_tuning.candidate import spell_target

    return json.dumps(spell_target(target))


def default_strategy(kind: str) -> str:
    """By the kind of target."""
    return GUIDED if kind == "cuda" else "evolutionary"


def with_cores(target: Any, cores: int) -> Any:
    """What rules for a CPU ask the target for; code is generated without it."""
    import tvm

    if target.kind.name != "llvm":
        return target
    from harness.backends._tvm_tuning.candidate import spell_target

    return tvm.target.Target({**spell_target(target), "num-cores": cores})


def _context(
    ms: Any, module: Any, target: Any, walks: Any, name: str, how: How, unrolled: Sequence[int] = UNROLLED
) -> Any:
    """What `TuneContext(...)` makes, without the intrinsics that its Python side always imports."""
    calls = ms.tune_context._ffi_api
    if not hasattr(calls, "TuneContextInitialize"):
        raise Unsupported("this version of TVM makes its tuning contexts in another way than 0.24 to 0.27 do")
    logging = ms.logging.get_logging_func(ms.logging.get_logger(__name__))
    seed = 1 + int.from_bytes(task_hash(module).encode()[-6:], "little") * 31 % (1 << 29) + how.seed % (1 << 29)
    made = calls.TuneContext(
        module, with_cores(target, how.cores), space(ms, target, unrolled), walks, name, how.threads, seed, logging
    )
    calls.TuneContextInitialize(made)
    return made
