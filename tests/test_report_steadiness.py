"""What a report says of rows and comparisons that are not steady, and of those that are."""

from pathlib import Path
from typing import List, Sequence

import msgspec
import numpy
import pytest

from harness.host import report, runs
from harness.host.report import steadiness, wording
from harness.host.report.collect import rows
from harness.host.stats.ratio import ratio
from harness.records import Experiment, LatencySamples, Result
from tests import example_run
from tests.example_run import experiment, result

ORT, TVM = experiment("onnxruntime"), experiment("tvm")
RANDOM = numpy.random.RandomState(11)


def cell(one: Experiment, number: int, times_ms: Sequence[float]) -> Result:
    found = result(one, number)
    assert isinstance(found.samples, LatencySamples)
    count = len(times_ms)
    samples = LatencySamples(
        start_ns=list(range(0, 300_000_000 * count, 300_000_000)),
        h2d_ns=[1000] * count,
        enqueue_ns=[1000] * count,
        compute_ns=[round(value * 1e6) for value in times_ms],
        d2h_ns=[1000] * count,
    )
    return msgspec.structs.replace(found, samples=samples)


def steady(middle_ms: float) -> numpy.ndarray:
    return middle_ms * RANDOM.normal(1, 0.005, 100)


def verdict_of(tmp_path: Path, cells: List[numpy.ndarray]) -> List[str]:
    """The columns of ONNX Runtime's row: verdict, spread, outliers, worth, drift, changes."""
    results = [cell(ORT, number, times) for number, times in enumerate(cells, 1)]
    folder = example_run.write(tmp_path / "run", results, [ORT], rounds=len(cells))
    (line,) = steadiness.table(rows(runs.load_one(folder))).rows
    return list(line[3:])


def test_a_steady_row_is_stable(tmp_path: Path) -> None:
    verdict, spread, outliers, worth, drift, changes = verdict_of(tmp_path, [steady(10) for _ in range(5)])
    assert (verdict, drift, changes) == ("STABLE", "-", "-")
    assert spread.startswith("0.")
    assert int(outliers.split(" of ")[0]) <= 5
    assert 350 <= int(worth.split(" of ")[0]) <= 500


def test_drift_within_cells_says_how_much_and_where(tmp_path: Path) -> None:
    cells = [steady(10) for _ in range(5)]
    cells[1] = cells[1] * numpy.linspace(1, 1.1, 100)
    verdict, *_, drift, _ = verdict_of(tmp_path, cells)
    assert verdict == "DRIFTING"
    assert drift in ("+9.3 % within round 2", "+9.4 % within round 2", "+9.5 % within round 2", "+9.6 % within round 2")


def test_a_clock_that_falls_in_the_middle_of_a_cell_says_from_where(tmp_path: Path) -> None:
    cells = [steady(10) for _ in range(5)]
    cells[2][40:] *= 1.6
    verdict, *_, changes = verdict_of(tmp_path, cells)
    assert verdict == "DRIFTING"
    assert changes == "+60 % from iteration 41 of round 3 on"


def test_rounds_that_get_slower_are_drift_too(tmp_path: Path) -> None:
    verdict, *_, drift, _ = verdict_of(tmp_path, [steady(10 * (1 + number / 25)) for number in range(6)])
    assert (verdict, drift) == ("DRIFTING", "+20 % over all rounds")


def test_many_outliers_are_noise_and_are_counted(tmp_path: Path) -> None:
    cells = [steady(10) for _ in range(5)]
    for times in cells:
        times[::10] *= 2
    verdict, _, outliers, *_ = verdict_of(tmp_path, cells)
    assert verdict == "NOISY"
    assert 50 <= int(outliers.split(" of ")[0]) <= 56


@pytest.mark.parametrize(
    ("per_round", "word"),
    [
        ([1.0, 1.01, 0.99, 1.0, 1.6], "one round's ratio, 1.60, lies further from the others"),
        ([1.0, 1.031, 1.058, 1.092, 1.121, 1.149], "the ratio rises from the first round to the last"),
        (
            [0.8, 0.81, 0.79, 0.8, 0.81, 1.0, 1.01, 0.99, 1.0, 1.01, 0.8, 0.79, 0.81, 0.8],
            "rounds are more alike the closer",
        ),
    ],
)
def test_flags_of_comparisons_say_what_they_mean(per_round: List[float], word: str) -> None:
    value = ratio(dict(enumerate(per_round)), dict(enumerate([1.0] * len(per_round))))
    assert value is not None
    assert [said for said in steadiness.flags(value) if said.startswith(word)], steadiness.flags(value)


def test_a_report_says_what_it_could_have_shown_and_when_rounds_are_too_few_to_be_tested(tmp_path: Path) -> None:
    def text(rounds: int) -> str:
        results = []
        for number in range(1, rounds + 1):
            results += [result(ORT, number), result(TVM, number, 226 * (1 + 0.01 * (-1) ** number))]
        folder = example_run.write(tmp_path / str(rounds), results, [ORT, TVM], rounds=rounds)
        return report.write(folder).path.read_text()

    five, nine = text(5), text(9)
    assert "With fewer than 8 rounds nobody can see" in five
    assert "With fewer than 8 rounds nobody can see" not in nine
    (line,) = (line for line in five.splitlines() if "| more time |" in line)
    assert "2.2 %" in line, "shift(4) * 1.1 % / sqrt(5)"


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.0123, "1.2"), (0.994, "99"), (0.997, "100"), (1.6049, "160"), (-1.1, "-110"), (0.00034, "0.034"), (0, "0")],
)
def test_a_share_is_no_power_of_ten(share: float, said: str) -> None:
    assert wording.of_hundred(share) == said
    assert wording.of_hundred(abs(share), "+") == f"+{said.lstrip('-')}"
