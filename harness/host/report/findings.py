"""All that a report of one board is made of, worked out once whatever the number of languages it is written in."""

from pathlib import Path
from typing import List, NamedTuple

from harness.host.report import headline, sensed
from harness.host.report.collect import Row, rows
from harness.host.report.compare import Comparison, comparisons, thread_comparisons
from harness.host.runs import RunData


class Findings(NamedTuple):
    data: RunData
    rows: List[Row]
    told: sensed.OfRows
    """By the sensors."""
    compared: List[Comparison]
    threads: List[Comparison]
    """Of a backend against itself."""

    @property
    def headlined(self) -> List[Comparison]:
        return self.compared or self.threads

    def sentences(self) -> List[str]:
        """The headline and what stands under it, in the language that is written now."""
        return headline.sentences(self.headlined, self.rows, self.data.run.plan.baseline)


def findings(folder: Path, data: RunData) -> Findings:
    """Of one board of the run in `folder`."""
    found = rows(data)
    return Findings(
        data=data,
        rows=found,
        told=sensed.of_rows(folder, found),
        compared=comparisons(found, data.run.plan.baseline, data.pilot),
        threads=thread_comparisons(found, data.pilot),
    )
