"""Selfbench of statistics: virtual engines have the truth they claim, bars can be missed, real runs resume."""

import math
import shutil
from pathlib import Path

import msgspec
import numpy
import pytest

from harness import upgrades
from harness.errors import LaunchError
from harness.host import runs
from harness.host.progress import Progress
from harness.host.report.collect import rows
from harness.host.selfbench import coverage, delayed, resampled, simulated, twins
from harness.host.selfbench.checkout import with_backend
from harness.host.selfbench.ground import Place
from harness.host.selfbench.simulated import Outcome
from harness.host.selfbench.virtual import MODELS, RATIO, log_normal
from harness.host.stats.ratio import Ratio, ratio
from harness.records import Machine


def random(seed: int = 1) -> numpy.random.Generator:
    return numpy.random.default_rng(seed)


@pytest.mark.parametrize("name", MODELS)
def test_a_virtual_engine_has_the_ratio_it_claims(name: str) -> None:
    """Over many runs the mean difference is the truth; the sluggish ones within what is left of their noise."""
    measured = MODELS[name](random(), 400, 6)
    assert measured.times_ns.shape == (400, 2, 6, 100)
    between = simulated.differences(measured)
    error = between.std() / math.sqrt(between.size) * (3 if name == "remembering" else 1)
    assert between.mean() == pytest.approx(measured.truth.mean(), abs=4 * error)
    if name != "growing apart":
        assert measured.truth == pytest.approx(math.log(RATIO))


def test_what_a_simulation_calls_different_a_report_would() -> None:
    """The same rounds through `ratio`, from which reports are made, and through what simulations use of it."""
    measured = log_normal(random(3), 40, 5)
    outcome = simulated.planned(lambda *_: measured, random(), 40, 5)
    for number, run in enumerate(measured.times_ns):
        medians = [dict(enumerate(numpy.median(engine, axis=1).astype(float), 1)) for engine in run]
        found = ratio(medians[1], medians[0])
        assert isinstance(found, Ratio)
        assert found.low is not None
        assert found.high is not None
        assert outcome.covered[number] == (found.low <= RATIO <= found.high)


def test_until_ends_where_the_pilot_says_or_the_limit() -> None:
    free, limited = (simulated.until(log_normal, random(4), 300, most) for most in (60, 10))
    assert limited.rounds.max() == 18
    assert free.rounds.max() > 18
    assert free.rounds.min() >= 11
    assert free.narrow.mean() > limited.narrow.mean()


def outcome(covered: float, flagged: float, few: bool = False) -> Outcome:
    """Of 1000 runs; those with flags are the ones that missed, as far as they reach."""
    number = numpy.arange(1000)
    missed = number >= 1000 * covered
    marks = number >= 1000 * (1 - flagged)
    return Outcome(~missed, marks, numpy.full(1000, few), numpy.full(1000, 20), ~missed)


@pytest.mark.parametrize(
    ("covered", "flagged", "few", "reached"),
    [
        (0.95, 0.0, False, True),
        (0.936, 0.0, False, True),
        (0.93, 0.0, False, False),
        (0.7, 0.0, False, False),
        (0.7, 0.26, False, True),
        (0.7, 0.2, False, False),
        (0.7, 0.0, True, True),
    ],
)
def test_an_interval_that_covers_too_little_must_be_flagged(
    covered: float, flagged: float, few: bool, reached: bool
) -> None:
    assert coverage.figure("case", outcome(covered, flagged, few), log_normal, 20).reached is reached


def test_an_interval_that_covers_too_much_must_be_flagged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steady engines carry no flags to excuse it; engines that grow apart do."""
    monkeypatch.setattr(coverage, "LOOKED_INTO", 50)
    assert not coverage.figure("case", outcome(0.99, 0.0), log_normal, 8).reached
    assert coverage.figure("case", outcome(0.99, 0.0), MODELS["growing apart"], 8).reached


def test_tries_are_stretches_of_neighbours_with_sides_at_random() -> None:
    real = numpy.arange(1.0, 8.0)
    found = resampled.stretches(random(), real, 500, 9)
    steps = numpy.diff(numpy.abs(found), axis=1)
    assert set(numpy.unique(steps)) == {1.0, -6.0}, "each the next one, the first after the last"
    assert (found > 0).mean() == pytest.approx(0.5, abs=0.03)


def test_the_same_is_called_different_as_often_as_five_percent_says() -> None:
    normal = random(2).normal(0, 0.02, 300)
    for length in resampled.LENGTHS:
        assert resampled.different(random(), normal, 10_000, length) == pytest.approx(0.05, abs=0.01)
    constant = numpy.full(300, 0.02)
    assert resampled.different(random(), constant, 10_000, 5) == pytest.approx(2 / 32, abs=0.01), "all signs alike"


def test_long_tails_over_few_rounds_err_to_the_safe_side() -> None:
    tailed = random(2).standard_t(3, 300) * 0.02
    assert resampled.different(random(), tailed, 10_000, 5) < 0.05


def test_a_slow_down_of_two_percent_is_found_within_what_was_announced() -> None:
    calm = resampled.planted(random(), random(5).normal(0, 0.02, 300), 1000)
    assert calm["found"] >= 0.9
    assert calm["narrow"] >= 0.87
    assert calm["coverage"] == pytest.approx(0.95, abs=0.025)
    assert calm["out_of_reach"] == 0
    restless = resampled.planted(random(), random(5).normal(0, 0.3, 300), 200)
    assert restless["out_of_reach"] > 0.9
    assert restless["found"] < 0.9, "2 % cannot be found in such noise, and the tool announced that"


@pytest.mark.parametrize(("count", "low", "high"), [(0, 0.0, 0.0596), (3, 0.0104, 0.1392), (60, 0.9404, 1.0)])
def test_clopper_pearson_as_tabulated(count: int, low: float, high: float) -> None:
    assert twins.clopper_pearson(count, 60) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


TINY = ["--plan", "demo", "--model", "yolov5n@64", "--threads", "1", "--rounds", "3", "--warmup", "2"]
TINY += ["--iterations", "10", "--baseline", "onnxruntime"]


TWINS = [*TINY, "--backends", "onnxruntime,twin"]


@pytest.fixture(scope="module")
def tried(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Where a first try of twins was measured."""
    place = Place(models_dir, tmp_path_factory.mktemp("tried") / "results", Progress(quiet=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNTIL", "1%")  # of the selfbench that calls it; a try has its own plan
        twins.ready(place).bench("try-01", TWINS)
    return place


@pytest.fixture
def place(tried: Place, tmp_path: Path) -> Place:
    """The same, of the test's own."""
    shutil.copytree(str(tried.results), str(tmp_path / "results"))
    return tried._replace(results=tmp_path / "results")


def test_one_engine_under_two_names_is_measured_once_as_any_run(place: Place) -> None:
    checkout = twins.ready(place)
    data = runs.load_one(checkout.results / "try-01")
    assert {one.status for one in data.results} == {"ok"}
    assert len(data.results) == 9
    twins.check_twins(data)
    value = twins.compared(data)
    assert value is not None
    assert twins.attempt(value)["rounds"] == 3
    stamps = {path: path.stat().st_mtime_ns for path in checkout.results.rglob("result.json")}
    assert twins.ready(place) == checkout
    assert checkout.bench("try-01", TWINS) == data
    assert stamps == {path: path.stat().st_mtime_ns for path in checkout.results.rglob("result.json")}
    assert [each.run.name for each in twins.ended(checkout)] == ["try-01"]
    with pytest.raises(LaunchError, match=r"3 real rounds .* are there, 50 are needed; make selfbench ONLY=twins"):
        resampled.rounds(place)


def test_a_try_that_cannot_be_gone_on_with_is_measured_anew(place: Place) -> None:
    """As after a reboot in the middle of it."""
    checkout = twins.ready(place)
    data = runs.load_one(checkout.results / "try-01")
    next((checkout.results / "try-01" / "local").glob("*/2/result.json")).unlink()
    machine = checkout.results / "try-01" / "local" / "machine.json"
    upgrades.write(machine, msgspec.structs.replace(upgrades.read(machine, Machine), boot_id="another"))
    again = checkout.bench("try-01", TWINS)
    assert len(again.results) == 9
    assert again.run.created_utc > data.run.created_utc
    with pytest.raises(LaunchError, match=r"bench of try-02 ended with status 2: .*unknown backend 'twins'"):
        checkout.bench("try-02", [*TINY, "--backends", "onnxruntime,twins"])


def test_a_runner_that_is_slower_by_a_known_time_is(models_dir: Path, tmp_path: Path) -> None:
    """A tenth of a second: also where the machine pauses, many times what the engine takes."""
    checkout = with_backend(Place(models_dir, tmp_path, Progress(quiet=True)), "slower", delayed.SLOWER)
    (checkout.folder / "harness" / "backends" / "slower.ns").write_text("100000000")
    data = checkout.bench("try-01", [*TINY, "--backends", "onnxruntime,slower"])
    judged = delayed.judge(data, 100_000_000)
    assert judged["found"] == 1.0
    assert judged["truth"] > 2
    _, slower = (row for row in rows(data) if row.computes)
    assert min(slower.compute_ns) >= 100_000_000
