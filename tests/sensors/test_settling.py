"""When a clock has settled: at once where it is held, after half a second of one value where it is free."""

from typing import List, Optional

import pytest

from harness.records import ClockLimits
from harness.sensors.series import Column
from harness.sensors.settling import settled

MS = 1_000_000
FREE = ClockLimits(name="gpu", min_hz=114_000_000, max_hz=1_377_000_000)
HELD = ClockLimits(name="gpu", min_hz=1_377_000_000, max_hz=1_377_000_000)


def column(*values: float) -> Column:
    """A reading every 100 ms; load begins at 0, with the fourth of them."""
    return Column([(index - 3) * 100 * MS for index in range(len(values))], [value * 1e6 for value in values])


@pytest.mark.parametrize(
    ("values", "limits", "done"),
    [
        ([1377] * 2, HELD, True),
        ([1377] * 3 + [1200] * 9, HELD, False),  # held, and yet below: it waits
        ([114] * 3 + [114, 600, 1000, 1377, 1377, 1377], FREE, True),
        ([114] * 3 + [114, 600, 1000, 1377, 1377], FREE, False),
        ([114] * 3 + [114, 1377, 1377, 1377], FREE, False),  # still within the governor's first half second
        ([114] * 30, None, True),  # half a second at one clock, wherever that is
        ([114] * 6, FREE, False),
        ([0] * 12, FREE, False),  # a GPU that has not told its clock yet
        ([114] * 3 + [1377, 1300] * 8, FREE, False),
        ([114] * 3 + [1377, 1370] * 8, FREE, True),  # rounding
        ([], FREE, False),
        ([], HELD, False),
    ],
)
def test_settled(values: List[float], limits: Optional[ClockLimits], done: bool) -> None:
    assert settled(column(*values), limits, 0) is done
