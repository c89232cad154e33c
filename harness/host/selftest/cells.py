"""What the cells of a self-test say: whether engines build, load and compute rightly, in every way they are run."""

from typing import List, Optional

from harness.host.report.wording import milliseconds
from harness.host.runs import RunData
from harness.host.selftest.line import ENGINE, FAILED, GRAPH, MEMORY, MODE, OK, SKIPPED, Line
from harness.host.stats.summary import median
from harness.records import Engine, Experiment, LatencySamples, Machine, Result, ThroughputSamples

NO_MEANING = "calibrated with made-up images, so its accuracy means nothing"


def lines(data: RunData) -> List[Line]:
    """One a cell, in the plan's order; the floor, which computes nothing, is none of them."""
    found = []
    for result in sorted(data.results, key=lambda one: data.on.experiments.index(one.experiment)):
        engine = data.engines.get(result.engine or "")
        if engine is None or engine.computes:
            found.append(_line(result, engine, part(result.experiment, data.machine)))
    return found


def part(one: Experiment, machine: Machine) -> str:
    """Which part of the self-test an experiment belongs to."""
    if one.inference.cuda_graph is True:
        return GRAPH
    if one.inference.issue_mode != "latency":
        return MODE
    facts = machine.backends.get(one.build.backend)
    usual = facts.io_memory[0] if facts is not None and facts.io_memory else "host"
    return ENGINE if one.inference.io_memory == usual else MEMORY


def name(one: Experiment) -> str:
    words = [one.build.model, one.build.backend, one.build.precision]
    words += [one.inference.io_memory] if one.inference.io_memory != "host" else []
    words += [one.inference.issue_mode] if one.inference.issue_mode != "latency" else []
    return " ".join(words)


def _line(result: Result, engine: Optional[Engine], of: str) -> Line:
    what = name(result.experiment)
    if result.status == "ok":
        return Line(of, what, OK, "; ".join(_figures(result, engine)))
    status = SKIPPED if result.status == "skipped" else FAILED
    return Line(of, what, status, result.reason if result.status != "crashed" else f"crashed: {result.reason}")


def _figures(result: Result, engine: Optional[Engine]) -> List[str]:
    found = []
    if result.accuracy is not None:
        worst = max(one.relative_rms for one in result.accuracy.outputs)
        found.append(f"outputs differ by {worst:.2g} (relative RMS, allowed {result.accuracy.tolerance:g})")
    if result.experiment.build.precision == "int8":
        found.append(NO_MEANING)
    samples = result.samples
    if isinstance(samples, LatencySamples):
        device = f"device {milliseconds(median(samples.device_ns))} ms, " if samples.device_ns is not None else ""
        found.append(f"{device}host {milliseconds(median(samples.compute_ns))} ms (medians of {samples.count})")
    elif isinstance(samples, ThroughputSamples):
        found.append(f"{samples.count * 1e9 / samples.span_ns:.4g} inferences a second")
    if engine is not None and engine.executed:
        found.append(", ".join(f"{count} layers in {kind}" for kind, count in sorted(engine.executed.items())))
    if engine is not None and engine.precision_source:
        found.append(f"precision from {engine.precision_source}")
    return found
