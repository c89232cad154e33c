"""From a run's records to its rows: one per experiment, with everything a table needs of it."""

from typing import Dict, List, NamedTuple, Optional

from msgspec import UNSET

from harness.host.report import recorded, verdicts
from harness.host.report.language import _, ngettext
from harness.host.runs import RunData
from harness.host.stats.summary import Summary, median, summarize
from harness.records import Accuracy, Engine, Experiment, LatencySamples, Result, ThroughputSamples


class Parts(NamedTuple):
    """Medians of the steps of an iteration, in nanoseconds."""

    h2d_ns: float
    enqueue_ns: float
    compute_ns: float
    d2h_ns: float
    total_ns: float
    device_ns: Optional[float] = None
    """Compute on the device's own clock; None where not every cell has it."""


class Row(NamedTuple):
    experiment: Experiment
    variant: str
    results: List[Result]
    """In the order of rounds, whatever their status."""
    compute_ns: List[int]
    """All rounds' samples, pooled; empty where no cell is ok."""
    medians_ns: Dict[int, float]
    """Median compute by round."""
    per_second: Dict[int, float]
    """Inferences per second by round, of a row whose issue mode is throughput: the two never mix."""
    engine: Optional[Engine]
    accuracy: Optional[Accuracy]
    """Of the first round that has one: the engine and the inputs are the same in all."""
    builds_vary: bool = False
    """Whether another build of this engine may have another speed."""

    @property
    def ok(self) -> bool:
        """Whether there are latencies."""
        return bool(self.compute_ns)

    @property
    def measured(self) -> bool:
        """Whether there are latencies or rates."""
        return self.ok or bool(self.per_second)

    @property
    def times_ns(self) -> Dict[int, float]:
        """What ratios are made of, by round: the median of compute, or the time of an inference at the round's rate."""
        return self.medians_ns or {number: 1e9 / each for number, each in self.per_second.items()}

    @property
    def computes(self) -> bool:
        return self.engine.computes if self.engine is not None else True

    @property
    def summary(self) -> Summary:
        return summarize(self.compute_ns)

    @property
    def parts(self) -> Parts:
        samples = [result.samples for result in self.results if isinstance(result.samples, LatencySamples)]
        device = [one for each in samples for one in each.device_ns or []]
        return Parts(
            h2d_ns=median([one for each in samples for one in each.h2d_ns]),
            enqueue_ns=median([one for each in samples for one in each.enqueue_ns]),
            compute_ns=median(self.compute_ns),
            d2h_ns=median([one for each in samples for one in each.d2h_ns]),
            total_ns=median([one for each in samples for one in each.total_ns()]),
            device_ns=median(device) if all(each.device_ns is not None for each in samples) else None,
        )

    @property
    def executed(self) -> str:
        """What the layers of an engine compute in where that is not what was asked for; empty where it is."""
        if self.engine is None or not self.engine.executed:
            return ""
        asked, found = self.experiment.build.precision, self.engine.executed
        if set(found) == {asked}:
            return ""
        return ", ".join(_layers(count, precision) for precision, count in sorted(found.items()))

    @property
    def badges(self) -> List[str]:
        """All that a reader must know with any figure of this row."""
        found = [recorded.said(text) for text in self.deviations]
        if self.executed:
            asked = self.experiment.build.precision
            found = [
                *found,
                _("%(asked)s was asked for, executed are %(executed)s", asked=asked, executed=self.executed),
            ]
        if self.engine is not None and self.engine.precision_note:
            found = [*found, self.engine.precision_note]
        return [*verdicts.badges(self.results), *found]

    @property
    def deviations(self) -> List[str]:
        """Each kind of shortfall once, as the worst round has it."""
        found: Dict[str, str] = {}
        for result in self.results:
            for text in result.deviations:
                kind = " ".join(text.split()[2:])
                if kind not in found or int(text.split()[0]) < int(found[kind].split()[0]):
                    found[kind] = text
        return list(found.values())


def _layers(count: int, precision: str) -> str:
    return ngettext(
        "%(count)s layer in %(precision)s", "%(count)s layers in %(precision)s", count, count=count, precision=precision
    )


def rows(data: RunData) -> List[Row]:
    """In the plan's order, but what belongs to one model and batch together."""
    by_slug: Dict[str, List[Result]] = {}
    for result in data.results:
        by_slug.setdefault(result.experiment.slug(), []).append(result)
    models = list(dict.fromkeys(experiment.build.model for experiment in data.on.experiments))
    ordered = sorted(data.on.experiments, key=lambda one: (models.index(one.build.model), one.build.batch))
    return [_row(data, experiment, by_slug.get(experiment.slug(), [])) for experiment in ordered]


def _row(data: RunData, experiment: Experiment, results: List[Result]) -> Row:
    results = sorted(results, key=lambda result: result.round)
    engine = data.engines.get(data.on.engines.get(experiment.slug(), ""))
    measured = {one.round: one.samples.compute_ns for one in results if isinstance(one.samples, LatencySamples)}
    rates = {one.round: one.samples.per_second for one in results if isinstance(one.samples, ThroughputSamples)}
    facts = data.machine.backends.get(experiment.build.backend)
    variants = [result.variant for result in results if result.variant] + ([engine.variant] if engine else [])
    variants += [experiment.build.variant] if experiment.build.variant is not UNSET else []
    return Row(
        experiment=experiment,
        variant=variants[0] if variants else "",
        results=results,
        compute_ns=[one for each in measured.values() for one in each],
        medians_ns={number: median(samples) for number, samples in measured.items()},
        per_second=rates,
        engine=engine,
        accuracy=next((result.accuracy for result in results if result.accuracy is not None), None),
        builds_vary=facts is not None and facts.builds_vary,
    )
