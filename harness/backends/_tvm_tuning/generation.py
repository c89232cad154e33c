"""All that this house asks of TVM's MetaSchedule, and the only file that imports it.

A search works with the classes here; where it lies in each generation of TVM, `_tvm_generation.part` knows.
"""

import functools
import json
import re
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

from harness.backends._tvm_generation import part
from harness.backends._tvm_tuning.traces import revived, written
from harness.errors import Unsupported

UNROLLED = (0, 16, 64)
"""Steps that a schedule may unroll a loop to; 0 leaves it as it is. TVM's rules offer 512 too, and 1024 for CUDA: those
are written out as 400 kB of source, over which CUDA's compiler sits for seconds, and for a CPU they take 1.0 s to build
against 0.2 s (convolutions of YOLOv5n), while the best schedules of its tasks unroll to all of the steps alike."""
GUIDED_UNROLLED = (0, 16, 64, 256, 512)
"""The same where no schedule has more of them than its tiles need."""
JOBS_A_CORE, WIDEST = 16, 64
"""Of TVM's rules for a CPU: parallel parts, and elements that a loop may have to become one of vectors."""
GUIDED = "guided"
"""Ours, for GPUs: `guided.py`. The others are TVM's."""
STRATEGIES = (GUIDED, "evolutionary", "replay-trace")
COST_MODELS = ("xgb", "random")


class Size(NamedTuple):
    """Of one evolutionary search; TVM takes 512, 4 and 50.

    A schedule costs 20 ms of CPU to make and to judge, and 0.3 s to build and to measure, so that 2,500 of them for
    each batch would be most of a job's time. In 5 minutes of YOLOv5n (320, 2 cores) 64, 3 and 32 left 7.9 ms by 787
    trials, 40, 2 and 16 left 7.3 ms by 908, and 24, 2 and 12 left 7.5 ms by 979.
    """

    population: int
    generations: int
    unmeasured: int
    """That chance adds at least. CUDA's rules let nine of ten fail, so that these few cost more than all that are bred;
    with 8 in place of 32 a candidate costs 0.1 to 0.2 s of CPU in place of 0.4 to 0.7 (a convolution of YOLOv5n)."""


SIZES = {"llvm": Size(32, 2, 16), "cuda": Size(64, 2, 8)}
MANY_BLOCKS = 12
"""Schedules of a task of more blocks are drawn by chance alone. A convolution with its activation has 4, and a schedule
of it costs 20 ms of CPU; the decode head of YOLOv5 has 46, which cost 1 s: TVM would breed for minutes what is built
and measured in seconds."""


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


def blocks(module: Any) -> int:
    """How many computations a task's module has."""
    return len(re.findall(r'\bwith T\.s?block\((?!"root")', str(module.script())))


class Rules:
    """What TVM's rules make of one task, with nobody choosing."""

    def __init__(self, module: Any, target: Any, name: str, how: "How") -> None:
        self._module = module
        walks = strategy("replay-trace", target)
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
        by_chance = how.strategy == "replay-trace" or blocks(module) > MANY_BLOCKS
        walks = strategy("replay-trace" if by_chance else how.strategy, target)
        self._context = _context(ms, module, target, walks, name, how)
        self._context.pre_tuning(1 << 30, how.batch, None, database, model)
        self._first = None
        if not by_chance:
            self._first = _context(ms, module, target, strategy("replay-trace", target), name, how)
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
        """A trial of an earlier job: into the database, and back as a candidate for `recall`; None if it is no more."""
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


def strategy(name: str, target: Any) -> Any:
    """TVM's; what ours leaves to it goes to its evolutionary search."""
    ms = schedules()
    if name in (GUIDED, "evolutionary"):
        size = SIZES[target.kind.name]
        return ms.search_strategy.EvolutionarySearch(
            population_size=size.population, init_min_unmeasured=size.unmeasured, genetic_num_iters=size.generations
        )
    return ms.search_strategy.SearchStrategy.create(name)


def space(target: Any, unrolled: Sequence[int] = UNROLLED) -> Any:
    """Rules by the kind of target, never by its features: those for dot products need intrinsics of TVM that take more
    than 20 s of CPU to import, and fit INT8 alone."""
    kind = target.kind.name
    return schedules().space_generator.PostOrderApply(
        sch_rules=_rules(kind, unrolled), postprocs=kind, mutator_probs=kind
    )


def _rules(kind: str, unrolled: Sequence[int]) -> List[Any]:
    """TVM's, but for unrolling."""
    found = schedules().schedule_rule
    rules = list(found.ScheduleRule.create(kind))
    (place,) = [place for place, one in enumerate(rules) if isinstance(one, found.ParallelizeVectorizeUnroll)]
    del rules[place]
    if kind == "cuda":  # threads are bound there: nothing becomes parallel or a vector
        return [*rules, found.ParallelizeVectorizeUnroll(-1, -1, list(unrolled), True)]
    rules.insert(place, found.ParallelizeVectorizeUnroll(JOBS_A_CORE, WIDEST, list(unrolled), True))
    return rules


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
        module, with_cores(target, how.cores), space(target, unrolled), walks, name, how.threads, seed, logging
    )
    calls.TuneContextInitialize(made)
    return made
