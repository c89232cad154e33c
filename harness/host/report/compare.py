"""Which rows may be held against each other, and against which baseline."""

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import msgspec
from msgspec import UNSET

from harness.host.plan import NO_BASELINES
from harness.host.report.collect import Row
from harness.host.stats.builds import covers_builds, ratio_of_builds
from harness.host.stats.ratio import Ratio, ratio
from harness.records import Experiment

BASELINES = ("tensorrt", "onnxruntime")
"""The first of these that is there, unless the plan declares another."""
ENOUGH_BUILDS = 3
"""Of an engine whose builds differ, before anything is said of its backend."""
Rows = Sequence[Row]
"""One, or one for each build of an engine: rows that differ in nothing else."""


class Comparison(NamedTuple):
    ours: Rows
    theirs: Rows
    """The baseline's."""
    ratio: Ratio
    """Time of ours over time of theirs; of throughput, the time of one inference at the rate that was reached."""
    of: str
    """`backend`, or `threads` where one backend is held against itself."""

    @property
    def row(self) -> Row:
        return self.ours[0]

    @property
    def baseline(self) -> Row:
        return self.theirs[0]

    @property
    def throughput(self) -> bool:
        return self.row.experiment.inference.issue_mode == "throughput"

    @property
    def shown(self) -> Ratio:
        """The ratio of times; of throughput turned over: how many times the inferences a second."""
        value = self.ratio
        if not self.throughput:
            return value
        return value._replace(
            value=1 / value.value,
            low=1 / value.high if value.high is not None else None,
            high=1 / value.low if value.low is not None else None,
            per_round=[1 / each for each in value.per_round],
        )

    @property
    def verdict(self) -> str:
        """As the ratio's; of throughput `higher rate` or `lower rate`."""
        rates = {"less time": "higher rate", "more time": "lower rate"}
        return rates.get(self.ratio.verdict, self.ratio.verdict) if self.throughput else self.ratio.verdict

    @property
    def covers_builds(self) -> bool:
        """Whether the interval says something of the next build, too."""
        return covers_builds(len(self.ours), len(self.theirs))

    @property
    def only_builds(self) -> Optional[int]:
        """How many builds of an engine whose builds differ all this is about; None where it is about its backend."""
        counts = [len(side) for side in (self.ours, self.theirs) if side[0].builds_vary]
        if not counts or (self.covers_builds and min(counts) >= ENOUGH_BUILDS):
            return None
        return min(counts)

    @property
    def badges(self) -> List[str]:
        """Of all rows on either side, each once."""
        return list(dict.fromkeys(badge for row in (*self.ours, *self.theirs) for badge in row.badges))


def comparisons(rows: Sequence[Row], declared: Optional[str], pilot: int = 0) -> List[Comparison]:
    """Every engine against the baseline of its own setting; what differs in the setting is never compared.

    Latencies come first, whatever the plan's order. `pilot` is the run's: the last round of those that decided how many
    there are.
    """
    measured = together([row for row in rows if row.measured and row.computes])
    found = []
    for ours in measured:
        baseline = _baseline([other for other in measured if setting(other[0]) == setting(ours[0])], declared)
        if baseline is not None and baseline is not ours:
            found += _compared(ours, baseline, "backend", pilot)
    return sorted(found, key=lambda one: one.throughput)


def thread_comparisons(rows: Sequence[Row], pilot: int = 0) -> List[Comparison]:
    """Each engine with its most threads against itself with its fewest: what is left where there is one backend."""
    families: Dict[Tuple[object, ...], List[Rows]] = {}
    for each in together([row for row in rows if row.measured and row.computes]):
        build = msgspec.structs.replace(each[0].experiment.build, build_number=UNSET)
        key = (setting(each[0], threads=False), build, each[0].experiment.inference.cuda_graph)
        families.setdefault(key, []).append(each)
    found = []
    for family in families.values():
        fewest, most = min(family, key=_threads), max(family, key=_threads)
        if _threads(fewest) != _threads(most):
            found += _compared(most, fewest, "threads", pilot)
    return found


def together(rows: Sequence[Row]) -> List[Rows]:
    """The builds of one engine together, in the order of their first."""
    found: Dict[Experiment, List[Row]] = {}
    for row in rows:
        build = msgspec.structs.replace(row.experiment.build, build_number=UNSET)
        found.setdefault(msgspec.structs.replace(row.experiment, build=build), []).append(row)
    return list(found.values())


def setting(row: Row, threads: bool = True) -> Tuple[object, ...]:
    """All that two rows must share to be headlined against each other.

    Options of a backend and CUDA graphs are its own ways of doing the same, so they are compared; their names say them.
    """
    build, inference = row.experiment.build, row.experiment.inference
    shared = (build.model, build.precision, build.batch, row.experiment.system, inference.io_memory)
    return (*shared, inference.issue_mode, inference.threads if threads else None)


def _compared(ours: Rows, theirs: Rows, of: str, pilot: int) -> List[Comparison]:
    """One, or none where no round has both."""
    if len(ours) == len(theirs) == 1:
        value = ratio(ours[0].times_ns, theirs[0].times_ns, pilot=pilot)
    else:
        value = ratio_of_builds([one.times_ns for one in ours], [one.times_ns for one in theirs], pilot=pilot)
    return [Comparison(ours, theirs, value, of)] if value is not None else []


def _baseline(candidates: Sequence[Rows], declared: Optional[str]) -> Optional[Rows]:
    """Of its backend's ways the one that was told the least."""
    for name in (declared,) if declared is not None else BASELINES:
        of_it = [one for one in candidates if one[0].experiment.build.backend == name and name not in NO_BASELINES]
        if of_it:
            return min(of_it, key=_told)
    return None


def _told(rows: Rows) -> int:
    build, inference = rows[0].experiment.build, rows[0].experiment.inference
    return len(build.options or {}) + (inference.cuda_graph is True) + (build.variant is not UNSET)


def _threads(rows: Rows) -> int:
    return rows[0].experiment.inference.threads
