"""Renders one board's report as Markdown: what stands where. Only this module knows the template and its Jinja2."""

from typing import Dict, List, NamedTuple

from msgspec import UNSET

from harness.host import runs
from harness.host.report import (
    advice,
    builds,
    conditions,
    energy,
    engines,
    facts,
    language,
    matrix,
    memory,
    ratios,
    steadiness,
    table,
    tables,
    tuning,
    unmeasured,
    verdicts,
    wording,
)
from harness.host.report.collect import Row
from harness.host.report.compare import ENOUGH_BUILDS
from harness.host.report.findings import Findings
from harness.host.report.templating import environment
from harness.host.runs import RunData
from harness.records import Machine


class Beside(NamedTuple):
    """Names of the files that the report refers to."""

    plot: str
    course: str
    tuning_plot: str
    csv: str
    text: str


def render(board: Findings, beside: Beside) -> str:
    """The report of one board, in the language that is written now."""
    data, found, told = board.data, board.rows, board.told
    latencies, rates = ([one for one in board.compared if one.throughput is kind] for kind in (False, True))
    said = board.sentences()
    notes = table.Footnotes()
    seen = verdicts.seen(data.results)
    of_energy = energy.section(found, told, notes)
    # This is Markdown; table.markdown escapes what is special there.
    markdown = environment(autoescape=False, extensions=["jinja2.ext.i18n"])
    markdown.policies["ext.i18n.trimmed"] = True
    markdown.install_gettext_callables(language.found, language.found_plural, newstyle=True)  # type: ignore[attr-defined]
    markdown.filters["table"] = table.markdown
    return markdown.get_template("report.md.j2").render(
        run=data.run,
        added=data.rounds - data.run.plan.rounds,
        machine=data.machine,
        code=language.current(),
        headline=said[0],
        also=said[1:],
        unfinished=_unfinished(data),
        seen=seen,
        counts=", ".join(f"{word} {count}" for word, count in seen.counts.items()),
        broken=data.broken,
        latency=tables.latency(found, data.rounds, notes),
        throughput=tables.throughput(found, data.rounds, notes),
        compared=ratios.compared(latencies, notes),
        rates=ratios.rates_compared(rates, notes),
        threads=ratios.compared([one for one in board.threads if not one.throughput], notes),
        thread_rates=ratios.rates_compared([one for one in board.threads if one.throughput], notes),
        matrices=matrix.matrices(found, notes, data.pilot),
        of_several_builds=builds.table(found, notes),
        energy=of_energy,
        notes=notes.lines(),
        unmeasured=unmeasured.lines(data, found, told, of_energy),
        conditions=conditions.table(found, told),
        memory=memory.table(found),
        few=steadiness.few(board.headlined),
        steady=steadiness.table(found),
        bounds=tables.percentile_bounds(found),
        steps=tables.steps(found),
        device_times=tables.times_itself(found),
        accuracy=tables.accuracy(found),
        engines=engines.engines(found),
        settings=engines.settings(found),
        of_builds=any(row.experiment.build.build_number is not UNSET or row.builds_vary for row in found),
        enough_builds=ENOUGH_BUILDS,
        untried=_untried(found, data.machine),
        shortfalls=tables.shortfalls(found),
        generated=[wording.model(one.reference) for one in data.run.models if one.weights == "generated"],
        facts=facts.facts(data.machine),
        jetson=data.machine.l4t is not None,
        container=data.machine.container,
        steps_next=advice.steps(data, found, board.headlined),
        tuned=tuning.tuned(data, found),
        **beside._asdict(),
    )


def _untried(rows: List[Row], machine: Machine) -> bool:
    """Whether what this project has not been able to try yet is involved."""
    return machine.l4t is not None or any(row.experiment.build.backend.startswith("tensorrt") for row in rows)


def _unfinished(data: RunData) -> Dict[str, int]:
    planned, ended = len(runs.cells(data.run, data.on)), len(data.results)
    return {} if ended >= planned else {"ended": ended, "planned": planned}
