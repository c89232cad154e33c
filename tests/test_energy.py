"""Energy of an inference: known integrals, wraps, rest, refusals; its uncertainty held against simulated sensors."""

import math
import random
from typing import Callable, Dict, List, Optional, Tuple

import msgspec
import numpy
import pytest

from harness.host.readings import Column, Columns
from harness.host.stats import energy, footprint
from harness.host.stats.energy import Energy
from harness.host.stats.integral import Integral, Refused, integrate
from harness.records import Channel, Engine, Result, Telemetry, ThroughputSamples
from tests.example_run import experiment, ingredients, result
from tests.sensors.scene import samples

Power = Callable[[float], float]


def column(values: Power, begin: float = -3.5, end: float = 6.0, every: float = 0.1, late: float = 0.03) -> Column:
    """Readings of a quantity over seconds; their times are no multiples of anything that is measured."""
    moments = numpy.arange(begin + late, end, every)
    return Column(numpy.round(moments * 1e9).astype(numpy.int64), numpy.array([values(at) for at in moments]))


def flicker(at: float) -> float:
    """What no real sensor is without: its last digit moves."""
    return 1.0 if int(at * 10) % 2 else -1.0


def found(one: object) -> Integral:
    assert isinstance(one, Integral), one
    return one


# --- integrals


def test_a_constant_power_is_power_times_time() -> None:
    one = found(integrate(column(lambda at: 10_000 + flicker(at)), [(0.0, 5.0)], "mW"))
    assert one.joules == pytest.approx(50, rel=1e-4)
    assert one.updates == pytest.approx(50, rel=0.03)


def test_a_line_is_integrated_exactly_between_ends_that_no_reading_meets() -> None:
    one = found(integrate(column(lambda at: 1000 * (at + 4)), [(0.123, 4.567)], "mW"))
    assert one.joules == pytest.approx((4.567**2 - 0.123**2) / 2 + 4 * (4.567 - 0.123), rel=1e-9)


def test_windows_add_up_and_what_lies_between_them_does_not_count() -> None:
    def power(at: float) -> float:
        return 1000 * (at + 4)

    apart = found(integrate(column(power), [(0.0, 1.0), (3.0, 4.0)], "mW"))
    one, other = (found(integrate(column(power), [window], "mW")).joules for window in ((0.0, 1.0), (3.0, 4.0)))
    assert apart.joules == pytest.approx(one + other)


@pytest.mark.parametrize(("unit", "scale", "wraps_at"), [("uJ", 1e6, 262143328850.0), ("mJ", 1e3, None)])
def test_a_counter_is_its_difference(unit: str, scale: float, wraps_at: Optional[float]) -> None:
    one = found(integrate(column(lambda at: scale * 20 * (at + 10)), [(0.0, 5.0)], unit, wraps_at))
    assert one.joules == pytest.approx(100, rel=1e-9)
    assert one.ends_j == pytest.approx(0.1 * 20 * math.sqrt(2 / 12), rel=1e-3), "each end may be one update late"


def test_a_counter_that_wraps_goes_on() -> None:
    at_zero = 262143328850.0 - 50e6  # 50 J before its end
    wrapped = column(lambda at: (at_zero + 20e6 * at) % 262143328850.0)
    assert found(integrate(wrapped, [(0.0, 5.0)], "uJ", 262143328850.0)).joules == pytest.approx(100, rel=1e-6)
    reset = integrate(column(lambda at: 20e3 * (at + 10) if at < 2 else 20e3 * at), [(0.0, 5.0)], "mJ")
    assert isinstance(reset, Refused)
    assert reset.reason == "was set back to a smaller value meanwhile"


def test_a_counter_that_wraps_and_was_set_back_is_refused_too() -> None:
    """A resume from sleep sets RAPL to zero: taken for a wrap it would be a quarter of a megajoule."""
    low = integrate(column(lambda at: 20e6 * (at + 10 if at < 2 else at)), [(0.0, 5.0)], "uJ", 262143328850.0)
    assert low == Refused("was set back to a smaller value meanwhile")


def test_a_sensor_that_never_moves_tells_no_interval() -> None:
    stuck = integrate(column(lambda at: 5000), [(0.0, 5.0)], "mW")
    assert isinstance(stuck, Refused)
    assert "never changed its value" in stuck.reason


def test_the_noise_is_that_of_the_values_and_their_number() -> None:
    """s / sqrt(N) of the mean, times the duration: readings of +-100 mW, fifty of them."""
    one = found(integrate(column(lambda at: 10_000 + 100 * flicker(at)), [(0.0, 5.0)], "mW"))
    assert one.noise_j == pytest.approx(0.1 * math.sqrt(50 / 49) * math.sqrt(5 * 0.1), rel=0.02)


def test_a_step_at_the_end_is_uncertain_by_what_a_late_reading_misses() -> None:
    stepped = column(lambda at: (20_000 if at < 5.0 else 5_000) + flicker(at))
    one = found(integrate(stepped, [(0.0, 5.0)], "mW"))
    assert one.ends_j == pytest.approx(0.1 * 15 / math.sqrt(12), rel=0.02)


# --- of a cell


def power(load: float, rest: float) -> Power:
    """mW: at rest until the engine is loaded, a second before the iterations."""
    return lambda at: (load if -1 <= at < 5.05 else rest) + 5 * flicker(at)


def cell(
    powers: Dict[str, Power],
    seconds: float = 5.0,
    each_ms: float = 10.0,
    unit: str = "mW",
    idle: Optional[Tuple[float, float]] = (-3.2, -1.2),
    **change: object,
) -> Tuple[Result, Columns]:
    taken = samples([each_ms] * round(seconds * 1000 / each_ms))
    telemetry = Telemetry(
        **{  # type: ignore[arg-type]
            "interval_s": 0.1,
            "sweeps": 90,
            "largest_gap_s": 0.1,
            "channels": [Channel(name=name, what="", unit=unit, source="", readings=90) for name in powers],
            "total": list(powers),
            "total_means": "the module's input",
            "idle_ns": [round(at * 1e9) for at in idle] if idle else [],
            **change,
        }
    )
    return result(experiment("onnxruntime"), 1, samples=taken, telemetry=telemetry), {
        name: column(values) for name, values in powers.items()
    }


def of(*given: object, **more: object) -> Energy:
    one = energy.of_cell(*cell(*given, **more))  # type: ignore[arg-type]
    assert isinstance(one, Energy), one
    return one


def refused(*given: object, **more: object) -> str:
    one = energy.of_cell(*cell(*given, **more))  # type: ignore[arg-type]
    assert isinstance(one, Refused), one
    return one.reason


def test_gross_and_above_idle_per_inference() -> None:
    one = of({"power/VDD_IN": power(15_000, 5_000)})
    assert one.gross_j == pytest.approx(0.15, rel=2e-3), "15 W for 10 ms"
    assert one.above_idle_j == pytest.approx(0.10, rel=2e-3)
    assert (one.power_w, one.idle_w) == (pytest.approx(15, rel=1e-3), pytest.approx(5, rel=1e-3))
    assert one.above_idle_u_j is not None and 0 < one.gross_u_j < one.above_idle_u_j < 0.005
    assert (one.means, one.above_idle_reason) == ("the module's input", "")


def test_rails_add_up_and_so_does_what_is_common_to_their_ends() -> None:
    both = of({"power/GPU": power(9_000, 1_000), "power/CPU": power(6_000, 4_000)})
    assert both.gross_j == pytest.approx(0.15, rel=2e-3)
    assert both.above_idle_j == pytest.approx(0.10, rel=2e-3)


def test_a_rail_that_is_switched_off_at_rest_may_read_below_zero() -> None:
    one = of({"power/VDD_GPU": power(15_000, -392), "power/VIN_SYS_5V0": power(2_000, 2_000)})
    assert one.above_idle_j == pytest.approx(0.15392, rel=2e-3)


def test_a_counter_serves_as_well() -> None:
    def counted(at: float) -> float:
        load = min(max(0.0, at + 1), 6.05)
        return 1e3 * (1000 + 5 * (at + 4) + 10 * load)

    one = of({"energy/gpu": counted}, unit="mJ")
    assert one.gross_j == pytest.approx(0.15, rel=2e-3)
    assert one.above_idle_j == pytest.approx(0.10, rel=2e-3)


def test_throughput_counts_what_overlaps_once() -> None:
    taken = ThroughputSamples(
        slots=2,
        start_ns=[index * 5_000_000 for index in range(1000)],
        end_ns=[index * 5_000_000 + 10_000_000 for index in range(1000)],
    )
    one, columns = cell({"power/VDD_IN": power(15_000, 5_000)})
    found = energy.of_cell(msgspec.structs.replace(one, samples=taken), columns)
    assert isinstance(found, Energy)
    assert found.gross_j == pytest.approx(15 * 5.005 / 1000, rel=2e-3)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"seconds": 1.0}, "its iterations span 1 s; at least 2 s are needed (MIN_SECONDS)"),
        ({"total": []}, "this machine does not tell its power"),
        ({"total": ["power/VDD_CPU"]}, "this machine does not tell its power"),
    ],
)
def test_what_cannot_be_told_is_refused(more: Dict[str, object], reason: str) -> None:
    assert refused({"power/VDD_IN": power(15_000, 5_000)}, **more) == reason


def test_a_machine_without_a_sensor_says_which_and_why() -> None:
    absent = Channel(name="energy/package-0", what="", unit="uJ", source="", reason="no RAPL domain here")
    assert refused({}, channels=[absent]) == (
        "this machine does not tell its power (energy/package-0: no RAPL domain here)"
    )
    bare, _ = cell({})
    one = energy.of_cell(msgspec.structs.replace(bare, telemetry=None), {})
    assert one == Refused("no sensor was looked at")


def test_a_sensor_that_is_too_slow_for_the_cell_is_refused() -> None:
    slow = lambda at: 15_000 + 5 * int(at / 0.5)  # noqa: E731  a new value twice a second
    reason = refused({"power/VDD_IN": slow}, seconds=4.0)
    assert reason == "power/VDD_IN had 8 new values in that time; at least 20 are needed"


def drop(columns: Columns, begin: float, end: float) -> Columns:
    kept = {}
    for name, one in columns.items():
        keep = (one.t_ns < begin * 1e9) | (one.t_ns > end * 1e9)
        kept[name] = Column(one.t_ns[keep], one.value[keep])
    return kept


@pytest.mark.parametrize(
    ("begin", "end", "reason"),
    [
        (2.0, 2.7, "power/VDD_IN was not read for 0.8 s"),
        (-9, 0.5, "power/VDD_IN was not read before the first and after the last iteration"),
        (4.5, 99, "power/VDD_IN was not read before the first and after the last iteration"),
        (-99, 99, "power/VDD_IN was not read before the first and after the last iteration"),
    ],
)
def test_readings_must_cover_the_iterations(begin: float, end: float, reason: str) -> None:
    one, columns = cell({"power/VDD_IN": power(15_000, 5_000)})
    assert energy.of_cell(one, drop(columns, begin, end)) == Refused(reason)
    assert isinstance(energy.of_cell(one, drop(columns, 2.0, 2.3)), Energy), "a short gap is bridged"


def test_a_rail_that_vanished_is_named_with_its_reason() -> None:
    one, columns = cell({"power/VDD_IN": power(15_000, 5_000)})
    gone = msgspec.structs.replace(one.telemetry.channels[0], reason="is not there")  # type: ignore[union-attr]
    one = msgspec.structs.replace(one, telemetry=msgspec.structs.replace(one.telemetry, channels=[gone]))
    assert energy.of_cell(one, {}) == Refused("power/VDD_IN was not read: is not there")
    reason = energy.of_cell(one, drop(columns, 2, 99))
    assert isinstance(reason, Refused) and reason.reason.endswith("iteration: is not there")


def test_what_is_below_the_sensors_grain_is_refused() -> None:
    """A rail that takes 5 mW, by a sensor that is off by 40 mW either way."""
    reason = refused({"power/CV": lambda at: 5 + 40 * flicker(at)})
    assert reason.startswith("below what the sensor resolves: ")


def test_above_idle_is_refused_alone_where_rest_was_not_seen_or_not_exceeded() -> None:
    for more, reason in (
        ({"idle": None}, "the machine was not watched at rest"),
        ({"idle": (-1.8, -1.2)}, "the machine was watched at rest for 0.5 s only"),
        ({"idle": (-9.0, -8.0)}, "the machine was watched at rest for 0 s only"),
    ):
        one = of({"power/VDD_IN": power(15_000, 5_000)}, **more)
        assert (one.above_idle_j, one.above_idle_reason) == (None, reason)
        assert one.gross_j == pytest.approx(0.15, rel=2e-3)
    same = of({"power/VDD_IN": power(5_001, 5_000)})
    assert same.above_idle_j is None
    assert same.above_idle_reason == "not more than at rest (5 W), within twice the uncertainty"


def simulated(draw: random.Random) -> Tuple[float, Result, Columns]:
    """(true joules of an inference, the cell): a load with noise, a sensor that has a new value every 66 ms, which is
    the mean since its last one, read every 100 ms, as was seen on an Orin NX."""
    load, rest = draw.uniform(8_000, 20_000), draw.uniform(3_000, 6_000)
    step, update = 0.002, draw.uniform(0.05, 0.09)
    moments = numpy.arange(-4, 7, step)
    slow, true = 0.0, []
    for at in moments:
        slow += draw.gauss(0, 120) - 0.02 * slow
        true.append((load if -1 <= at < 5.0 else rest) + slow + draw.gauss(0, 800))
    sums = numpy.concatenate([[0.0], numpy.cumsum(numpy.array(true) * step)])
    edges = numpy.arange(-4 + draw.uniform(0, update), 7, update)
    index = numpy.clip(((edges + 4) / step).astype(int), 0, len(sums) - 1)
    shown = numpy.diff(sums[index]) / update
    phase = draw.uniform(0, 0.1)

    def read(at: float) -> float:
        return float(shown[max(0, numpy.searchsorted(edges, at, side="right") - 2)]) // 8 * 8

    one, _ = cell({"power/VDD_IN": power(1, 1)})
    begin, end = int(4 / step), int((4 + 500 * 0.010002) / step)
    joules = (sums[end] - sums[begin]) / 1000 / 500
    return joules, one, {"power/VDD_IN": column(read, -3.5 + phase, 6.5, late=0.0)}


def test_twice_the_uncertainty_covers_the_truth_of_simulated_sensors() -> None:
    """In at least 95 % of 200 cells (it is in all of them: this sensor averages), at a price of less than 1.5 %."""
    draw = random.Random(1)
    hits, widths = 0, []
    for _ in range(200):
        joules, one, columns = simulated(draw)
        found = energy.of_cell(one, columns)
        assert isinstance(found, Energy), found
        hits += abs(found.gross_j - joules) <= 2 * found.gross_u_j
        widths.append(found.gross_u_j / found.gross_j)
    assert hits >= 190, hits
    assert numpy.median(widths) < 0.015


# --- memory


def test_memory_is_what_the_engine_asks_for_and_its_tensors() -> None:
    one = experiment("onnxruntime")
    engine = Engine(
        key="k",
        ingredients=ingredients(one),
        variant="",
        computes=True,
        executed={},
        precision_note="",
        build_seconds=1,
        files={},
        built_utc="",
        device_memory_bytes=30_000_000,
    )
    told = footprint.of_cell(engine, result(one, 1, io_bytes=5_000_000, peak_rss_bytes=400_000_000))
    assert (told.engine, told.io, told.device, told.peak) == (30_000_000, 5_000_000, 35_000_000, 400_000_000)
    unknown = footprint.of_cell(None, result(one, 1))
    assert unknown == (None, None, None), "what nobody told is not 0"
    assert unknown.device is None


def test_every_unit_of_power_and_energy_that_sensors_offer_is_known() -> None:
    from harness.host.stats.integral import COUNTERS, POWERS
    from harness.sensors import nvml

    units: List[str] = [unit for name, (_, unit, _) in nvml.QUANTITIES.items() if name.startswith(("power", "energy"))]
    assert {*units, "uJ", "mW"} <= {*COUNTERS, *POWERS}
