"""Every row against every other: many questions of one run, so that verdicts are corrected for how many there are.

Holm's step-down procedure: whatever is true, the chance of calling any pair different that is not stays at 5 % for all
pairs together, however they depend on each other. Intervals stay those of each pair alone.
Source: Holm, Scandinavian Journal of Statistics 6 (1979).
"""

import itertools
from typing import List, NamedTuple, Optional, Sequence

import numpy

from harness.host.stats.builds import Side, ratio_of_builds
from harness.host.stats.ratio import Ratio

LEVEL = 0.05


class Pair(NamedTuple):
    ours: int
    baseline: int
    """Places of the two in what was given."""
    ratio: Optional[Ratio]
    """None where no round has both."""
    adjusted_p: Optional[float]
    """Of the test that the ratio is 1, Holm's; None where there are fewer than 3 common rounds."""

    @property
    def verdict(self) -> str:
        """As a ratio's own, but what does not survive the correction is not distinguishable."""
        if self.ratio is None or self.adjusted_p is None:
            return "no verdict"
        return self.ratio.verdict if self.adjusted_p < LEVEL else "not distinguishable"


def every_pair(sides: Sequence[Side], pilot: int = 0) -> List[Pair]:
    """From each row's medians by round, one mapping a build; each pair once, the later row over the earlier one."""
    numbers = itertools.combinations(range(len(sides)), 2)
    found = [(ours, baseline, ratio_of_builds(sides[ours], sides[baseline], pilot=pilot)) for baseline, ours in numbers]
    tested = [one.p for _, _, one in found if one is not None and one.p is not None]
    adjusted = iter(holm(tested))
    return [
        Pair(ours, baseline, one, next(adjusted) if one is not None and one.p is not None else None)
        for ours, baseline, one in found
    ]


def holm(p: Sequence[float]) -> List[float]:
    """Adjusted p-values in the order given: the i-th smallest of m times m - i + 1, never below a smaller one's."""
    order = numpy.argsort(p, kind="stable")
    factors = len(p) - numpy.arange(len(p))
    raised = numpy.minimum(1, numpy.maximum.accumulate(factors * numpy.asarray(p, float)[order]))
    adjusted = numpy.empty(len(p))
    adjusted[order] = raised
    return [float(one) for one in adjusted]
