"""What a search may choose from, and how it walks there: TVM's rules but for unrolling, and the size of its strategies.

`ms` is TVM's MetaSchedule, as `generation.schedules` finds it.
"""

import re
from typing import Any, List, NamedTuple, Sequence

REPLAY = "replay-trace"
"""TVM's strategy that draws each schedule by chance, and learns nothing."""
UNROLLED = (0, 16, 64)
"""Steps that a schedule may unroll a loop to; 0 leaves it as it is. TVM's rules offer 512 too, and 1024 for CUDA: those
are written out as 400 kB of source, over which CUDA's compiler sits for seconds, and for a CPU they take 1.0 s to build
against 0.2 s (convolutions of YOLOv5n), while the best schedules of its tasks unroll to all of the steps alike."""
GUIDED_UNROLLED = (0, 16, 64, 256, 512)
"""The same where no schedule has more of them than its tiles need."""
JOBS_A_CORE, WIDEST = 16, 64
"""Of TVM's rules for a CPU: parallel parts, and elements that a loop may have to become one of vectors."""


class Size(NamedTuple):
    """Of one evolutionary search; TVM takes 512, 4 and 50.

    A schedule costs 20 ms of CPU to make and to judge, and 0.3 s to build and to measure, so that 2,500 of them for
    each batch would be most of a job's time. In 5 minutes of YOLOv5n (320, 2 cores) 64, 3 and 32 left 7.9 ms by 787
    trials, 40, 2 and 16 left 7.3 ms by 908, and 24, 2 and 12 left 7.5 ms by 979;
    what is taken lies between the last two.
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


def blocks(module: Any) -> int:
    """How many computations a task's module has."""
    return len(re.findall(r'\bwith T\.s?block\((?!"root")', str(module.script())))


def by_chance(job: str, module: Any) -> bool:
    """Whether a task's schedules are drawn by chance alone; `job` is the name of its job's strategy."""
    return job == REPLAY or blocks(module) > MANY_BLOCKS


def strategy(ms: Any, chance: bool, target: Any) -> Any:
    """TVM's: each schedule drawn by chance, or its evolutionary search, which also gets what `guided.py` leaves."""
    if chance:
        return ms.search_strategy.SearchStrategy.create(REPLAY)
    size = SIZES[target.kind.name]
    return ms.search_strategy.EvolutionarySearch(
        population_size=size.population, init_min_unmeasured=size.unmeasured, genetic_num_iters=size.generations
    )


def space(ms: Any, target: Any, unrolled: Sequence[int] = UNROLLED) -> Any:
    """Rules by the kind of target, never by its features: those for dot products need intrinsics of TVM that take more
    than 20 s of CPU to import, and fit INT8 alone."""
    kind = target.kind.name
    return ms.space_generator.PostOrderApply(sch_rules=rules_of(ms, kind, unrolled), postprocs=kind, mutator_probs=kind)


def rules_of(ms: Any, kind: str, unrolled: Sequence[int]) -> List[Any]:
    """TVM's, but for unrolling."""
    unrolls = ms.schedule_rule.ParallelizeVectorizeUnroll
    found = list(ms.schedule_rule.ScheduleRule.create(kind))
    (place,) = [place for place, one in enumerate(found) if isinstance(one, unrolls)]
    del found[place]
    if kind == "cuda":  # threads are bound there: nothing becomes parallel or a vector
        return [*found, unrolls(-1, -1, list(unrolled), True)]
    found.insert(place, unrolls(JOBS_A_CORE, WIDEST, list(unrolled), True))
    return found
