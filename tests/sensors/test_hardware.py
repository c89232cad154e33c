"""The hardware verdict: what limits a cell, what only looks as if it did, and what nobody can tell."""

from typing import Dict, List, Optional

import msgspec
import pytest

from harness.records import BoardState, Cause, ClockLimits
from harness.sensors import throttles
from harness.sensors.hardware import hardware
from tests.sensors.scene import CAP, LOCKED, Value, moving, samples, scene, steady


def causes(verdict_of: object, *weights: str) -> Dict[str, Cause]:
    found = hardware(verdict_of).causes  # type: ignore[arg-type]
    return {one.code: one for one in found if not weights or one.weight in weights}


def only(verdict_of: object) -> Cause:
    [one] = causes(verdict_of, "LIMITED").values()
    assert hardware(verdict_of).verdict == "LIMITED"  # type: ignore[arg-type]
    assert one.reason and one.advice
    return one


def between(begin: float, end: float, inside: float, outside: float) -> Value:
    return lambda at: inside if begin <= at < end else outside


def test_a_locked_board_where_nothing_happens_is_clean_without_a_word() -> None:
    assert hardware(scene()).verdict == "CLEAN"
    assert hardware(scene()).causes == []


def test_nobody_watching_is_unknown_and_never_clean() -> None:
    found = hardware(None)
    assert (found.verdict, found.causes[0].code) == ("UNKNOWN", "not watched")


# --- clocks


def test_a_clock_below_its_cap_tells_how_much_and_how_many_iterations() -> None:
    one = only(scene({"clock/gpu": between(2, 3, 459e6, CAP)}))
    assert one.code == "clock below cap"
    assert one.reason == "the GPU's clock fell to 75 % of the 612 MHz that its mode allows"
    assert one.share == pytest.approx(0.2, abs=0.03)
    assert "it is locked and yet slower" in one.advice


def test_the_mode_s_cap_counts_and_not_what_the_silicon_could_do() -> None:
    """This board is locked at 612 MHz in its 15 W mode; 918 MHz is another mode's."""
    assert hardware(scene()).verdict == "CLEAN"
    lowered = moving(max_hz=408_000_000, min_hz=408_000_000)
    one = only(scene({"clock/gpu": lambda at: 408e6}, before=lowered))
    assert one.reason.startswith("the GPU's clock fell to 67 % of the 612 MHz"), "held below what the mode allows"
    assert one.share == 1


def test_without_a_known_mode_the_cap_is_what_was_allowed_before() -> None:
    """So it is in a container; the cap itself is lowered by whatever throttles, which must not hide it."""
    nobody = msgspec.structs.replace(moving(mode_hz=None), power_mode=None, locked=True)
    assert hardware(scene(before=nobody)).verdict == "CLEAN"
    throttled = between(1, 4, 408e6, CAP)
    assert only(scene({"clock/gpu": throttled, "cap/gpu": throttled}, before=nobody)).code == "clock below cap"


@pytest.mark.parametrize(
    "clock",
    [
        between(-1, -0.05, 114e6, CAP),  # idle before the iterations
        between(5.02, 9, 114e6, CAP),  # and after them
        between(2, 2.2, 306e6, CAP),  # two readings: a moment between two states
        lambda at: 0,  # a GPU that tells 0 rests, or does not tell
        lambda at: 0.985 * CAP,  # rounding
    ],
)
def test_what_only_looks_like_a_low_clock_is_none(clock: Value) -> None:
    assert hardware(scene({"clock/gpu": clock})).verdict == "CLEAN"


def test_free_clocks_are_a_limit_with_their_span() -> None:
    one = only(scene(before=moving(min_hz=306_000_000)))
    assert (one.code, one.share) == ("clocks not locked", None)
    assert one.reason == "free to move: gpu (306 to 612 MHz)"
    assert one.advice.startswith("make lock")


def test_free_clocks_that_also_fall_are_told_to_be_locked_first() -> None:
    found = causes(scene({"clock/gpu": between(2, 3, 459e6, CAP)}, before=moving(min_hz=306_000_000)), "LIMITED")
    assert set(found) == {"clocks not locked", "clock below cap"}
    assert found["clock below cap"].advice.startswith("lock the clocks first")


def test_a_cell_on_the_cpu_is_not_judged_by_the_gpus_clock() -> None:
    seen = scene({"clock/gpu": lambda at: 114e6}, before=moving(min_hz=114_000_000), io_memory="host")
    assert hardware(seen).verdict == "CLEAN"
    one = only(scene({"clock/cpu0": between(1, 2, 1.2e9, 1.4208e9)}, io_memory="host"))
    assert one.reason == "the CPU's clock fell to 84 % of the 1421 MHz that its mode allows"


def test_of_several_cpus_the_fastest_counts() -> None:
    """An idle core may rest while another one computes."""
    clocks = [*LOCKED.clocks, ClockLimits(name="cpu4", min_hz=1_420_800_000, max_hz=1_420_800_000)]
    before = msgspec.structs.replace(LOCKED, clocks=clocks)
    seen = scene({"clock/cpu0": lambda at: 700e6, "clock/cpu4": lambda at: 1.4208e9}, before=before, io_memory="host")
    assert hardware(seen).verdict == "CLEAN"


TURBO = ClockLimits(name="cpu0", min_hz=800_000_000, max_hz=4_700_000_000, governor="performance", boosts=True)


@pytest.mark.parametrize(
    ("base", "clock", "verdict"),
    [
        (2_800_000_000, 3.4e9, "CLEAN"),  # below the turbo, above what it must hold
        (2_800_000_000, 2.0e9, "LIMITED"),
        (None, 2.0e9, "UNKNOWN"),  # nobody knows what it must hold
    ],
)
def test_a_turbo_is_a_bonus_that_nobody_may_expect(base: Optional[int], clock: float, verdict: str) -> None:
    before = BoardState(clocks=[msgspec.structs.replace(TURBO, base_hz=base)], locked=True)
    channels = dict.fromkeys(("clock/gpu", "cap/gpu"))
    seen = scene({**channels, "clock/cpu0": lambda at: clock}, before=before, io_memory="host")
    assert hardware(seen).verdict == verdict


def test_a_governor_is_named_where_there_is_no_jetson() -> None:
    before = BoardState(clocks=[msgspec.structs.replace(TURBO, governor="powersave", base_hz=2_800_000_000)])
    seen = scene({"cap/gpu": None, "clock/cpu0": lambda at: 4e9}, before=before, io_memory="host")
    assert only(seen).advice == "sudo cpupower frequency-set -g performance"


@pytest.mark.parametrize(("low", "verdict"), [(1980e6, "CLEAN"), (1935e6, "CLEAN"), (1400e6, "LIMITED")])
def test_a_discrete_gpu_is_held_against_its_own_highest_clock(low: float, verdict: str) -> None:
    before = BoardState(clocks=[ClockLimits(name="gpu", highest_hz=1_980_000_000)])
    channels = {"clock/gpu": between(2, 3, low, 1980e6), "cap/gpu": None, "reasons/gpu": lambda at: 0}
    seen = scene(channels, before=before)
    assert hardware(seen).verdict == verdict
    assert "clocks not locked" in causes(seen, "NOTE"), "NVML does not tell whether they are"
    if verdict == "LIMITED":
        assert only(seen).code == "clock moved"
        assert "nvidia-smi -lgc" in only(seen).advice


def test_a_set_up_that_changes_meanwhile_is_a_limit() -> None:
    after = msgspec.structs.replace(moving(max_hz=918_000_000), power_mode="MAXN (0)")
    one = only(scene(after=after))
    assert one.reason == "power mode 15W (2) became MAXN (0); limits of gpu changed"


def test_a_clock_that_did_not_settle_is_a_limit() -> None:
    assert only(scene(settled_s=5.0, unsettled=True)).reason.startswith("the clock had not settled after 5.0 s")
    assert hardware(scene(settled_s=0.4)).verdict == "CLEAN"


@pytest.mark.parametrize(
    ("io_memory", "power_mode", "advice"),
    [("pinned", "15W (2)", "make lock"), ("pinned", None, "nvidia-smi -lgc"), ("host", None, "cpupower")],
)
def test_how_to_hold_a_clock_that_did_not_settle_is_what_that_machine_has(
    io_memory: str, power_mode: Optional[str], advice: str
) -> None:
    before = msgspec.structs.replace(LOCKED, power_mode=power_mode)
    seen = scene({"cap/gpu": None}, before=before, io_memory=io_memory, unsettled=True)
    [one] = [cause for cause in hardware(seen).causes if cause.code == "clock not settled"]
    assert advice in one.advice


# --- throttling


@pytest.mark.parametrize(
    ("bits", "names"),
    [
        (0, []),
        (0x1 | 0x2 | 0x100, []),  # idle, application and display settings hold nothing back
        (0x4, ["power cap"]),
        (0x20 | 0x40, ["software thermal slow-down", "hardware thermal slow-down"]),
        (0x80, ["power brake"]),
    ],
)
def test_nvmls_reasons_by_name(bits: int, names: List[str]) -> None:
    seen = scene({"reasons/gpu": between(1, 2, bits, 1)})
    found = causes(seen, "LIMITED")
    assert list(found) == [f"throttled: {name}" for name in names]
    assert all(one.share == pytest.approx(0.2, abs=0.03) for one in found.values())


def test_a_reason_that_shows_while_a_clock_changes_is_a_moment() -> None:
    assert hardware(scene({"reasons/gpu": between(2, 2.2, 0x8, 0)})).verdict == "CLEAN"


def test_what_the_kernel_slows_down_is_named() -> None:
    one = only(scene({"cooling/gpu-throttle-alert": between(3, 4, 2, 0)}))
    assert one.reason == "the kernel slowed gpu-throttle-alert down by 2 steps for its temperature"
    assert one.share == pytest.approx(0.2, abs=0.03)


def test_a_trip_point_counts_from_where_it_is() -> None:
    one = only(scene({"temperature/tj": lambda at: 96_000 + 1_000 * at}))
    assert one.reason == "tj reached 101 degrees Celsius; its passive trip point is 99"
    assert one.share == pytest.approx(0.4, abs=0.05)
    assert hardware(scene({"temperature/tj": lambda at: 98_000})).verdict == "CLEAN"


def test_a_zone_that_is_a_placeholder_trips_nothing() -> None:
    before = msgspec.structs.replace(LOCKED, trips_mc={"PMIC-Die": {"hot": 50_000}})
    assert hardware(scene({"temperature/PMIC-Die": lambda at: 50_000}, before=before)).verdict == "CLEAN"


def test_throttle_events_are_deltas_within_the_iterations() -> None:
    assert hardware(scene({"throttle_events/gpu": lambda at: 4e9})).verdict == "CLEAN", "of before this boot's cells"
    assert hardware(scene({"throttle_events/gpu": lambda at: 3 if at < -0.15 else 9})).verdict == "CLEAN"
    one = only(scene({"throttle_events/gpu": lambda at: 2.0**32 - 2 if at < 2 else 1}))
    assert one.reason == "gpu was throttled for heat 3 times", "the counter wrapped"
    assert one.share == pytest.approx(0.02, abs=0.02)


# --- over-current


def slower(begin_s: float, end_s: float, factor: float) -> List[float]:
    found, at = [], 0.0
    for one in steady():
        found.append(one * (factor if begin_s <= at / 1000 < end_s else 1))
        at += found[-1]
    return found


EVENTS: Value = lambda at: 7 + max(0, min(10, int((at - 2) * 10)))  # noqa: E731  ten events in the third second


def test_over_current_with_effect_is_a_limit() -> None:
    one = only(scene({"over_current/oc3": EVENTS}, slower(2, 3, 1.05)))
    assert one.code == "over-current"
    assert "10 events of over_current/oc3; iterations meanwhile took 5." in one.reason
    assert one.share == pytest.approx(0.2, abs=0.03)


def test_over_current_without_effect_is_a_note() -> None:
    """27,390 events in an hour were seen on a board that was not slower by them."""
    seen = scene({"over_current/oc3": EVENTS})
    assert hardware(seen).verdict == "CLEAN"
    assert causes(seen, "NOTE")["over-current"].reason.endswith("took no longer than the others")


def test_over_current_all_the_time_leaves_nothing_to_compare_with() -> None:
    seen = scene({"over_current/oc3": lambda at: 100 + int(at * 10)})
    assert hardware(seen).verdict == "UNKNOWN"
    assert "hardly any iterations without" in causes(seen, "UNKNOWN")["over-current"].reason


def test_events_before_the_first_iteration_are_nobodys() -> None:
    """The counter stays above where it began for ever after."""
    assert hardware(scene({"over_current/oc3": lambda at: 0 if at < -0.5 else 50}, slower(2, 3, 1.05))).causes == []


def test_under_voltage_is_the_supplys_whatever_it_slowed_down() -> None:
    one = only(scene({"over_current/oc1": lambda at: 0 if at < 2 else 1}))
    assert (one.code, one.advice) == ("under-voltage", "the voltage broke down: another power supply or cable")


def test_a_counter_that_somebody_set_back_is_no_event() -> None:
    assert hardware(scene({"over_current/oc3": lambda at: 90 if at < 2 else 0})).causes == []


def test_the_rank_sum_is_that_of_the_book() -> None:
    """1.96 standard errors for {5, 6, 7, 8} above {1, 2, 3, 4}: rank sum 26, mean 18, variance 12; no correction."""
    assert throttles._standard_errors([5, 6, 7, 8], [1, 2, 3, 4]) == pytest.approx(8 / 12**0.5)
    assert throttles._standard_errors([1, 1], [1, 1]) == 0


def test_noise_is_seldom_taken_for_an_effect() -> None:
    """200 cells whose events fall anywhere, without any effect: at most 2 of them are called limited."""
    import random

    called = 0
    for seed in range(200):
        draw = random.Random(seed)
        durations = [10 * draw.lognormvariate(0, 0.05) for _ in range(300)]
        at = draw.uniform(0.2, 2)
        counter = lambda now, at=at: 0 if now < at else (9 if now > at + 0.7 else 1 + int((now - at) * 10))  # noqa: E731
        called += hardware(scene({"over_current/oc3": counter}, durations)).verdict == "LIMITED"
    assert called <= 2


# --- neighbours


def test_another_process_on_the_gpu() -> None:
    one = only(scene({"processes/gpu": between(1, 2, 2, 0)}))
    assert one.reason == "2 other processes computed on the GPU"
    assert hardware(scene({"processes/gpu": lambda at: 0})).verdict == "CLEAN"


def test_a_gpu_that_was_busy_before_the_engine_came() -> None:
    idle = {"idle_ns": [-1_000_000_000, -200_000_000]}
    one = only(scene({"load/gpu": lambda at: 300 if at < 0 else 990}, **idle))
    assert one.reason == "the GPU was loaded to 30 % before the engine was there"
    assert hardware(scene({"load/gpu": lambda at: 0 if at < 0 else 990}, **idle)).verdict == "CLEAN"


def clean_cpu(**channels: Value) -> Dict[str, Optional[Value]]:
    mine = {"cpu_time/worker": lambda at: 5 + at, "cpu_time/sampler": lambda at: 0.01 * at}
    return {**mine, "cpu_time/stolen": lambda at: 3.0, **{f"cpu_time/{name}": one for name, one in channels.items()}}


@pytest.mark.parametrize(("others", "verdict"), [(0.02, "CLEAN"), (0.3, "CLEAN"), (0.8, "LIMITED")])
def test_other_processes_beside_a_cell_on_the_cpu(others: float, verdict: str) -> None:
    """Of eight processors; 5 % of them are 0.4."""
    seen = scene(clean_cpu(all=lambda at: 100 + at * (1.01 + others)), io_memory="host")
    assert hardware(seen).verdict == verdict
    if verdict == "LIMITED":
        assert only(seen).reason == "other processes took 10 % of the processors' time, 10 % at the worst"
        assert only(seen).share == pytest.approx(0.9, abs=0.11)


def test_a_busy_second_alone_makes_no_busy_cell_but_a_long_one_does() -> None:
    def burst(seconds: float) -> Value:
        return lambda at: 100 + at * 1.01 + max(0.0, min(seconds, at - 1)) * 2

    assert hardware(scene(clean_cpu(all=burst(0.5)), io_memory="host")).verdict == "CLEAN"
    one = only(scene(clean_cpu(all=burst(2)), io_memory="host"))
    assert one.share == pytest.approx(0.4, abs=0.12), "the seconds in which it happened"


def test_stolen_time_is_a_limit_of_its_own() -> None:
    quiet = clean_cpu(all=lambda at: 100 + at * 1.01)
    assert only(scene({**quiet, "cpu_time/stolen": lambda at: 0.2 * at}, io_memory="host")).code == "stolen time"


def test_a_cell_on_the_gpu_does_not_mind_who_uses_the_cpus() -> None:
    assert hardware(scene(clean_cpu(all=lambda at: 100 + at * 5))).verdict == "CLEAN"


# --- what cannot be told


def test_a_machine_that_tells_neither_clock_nor_throttling_is_unknown() -> None:
    before = BoardState(locked=None)
    nothing: Dict[str, Optional[Value]] = dict.fromkeys(("clock/gpu", "cap/gpu", "clock/cpu0"))
    seen = scene({**nothing, "clock/cpu": lambda at: 2.6e9}, before=before, io_memory="host")
    assert hardware(seen).verdict == "UNKNOWN"
    assert "tells neither what the CPU's clock should be" in causes(seen)["no evidence"].reason


def test_a_clock_that_vanishes_in_mid_run_leaves_the_rest_unknown() -> None:
    seen = scene()
    column = seen.series.columns["clock/gpu"].within(-1e9, 2e9)
    seen.series.columns["clock/gpu"] = column
    assert hardware(seen).verdict == "UNKNOWN"
    assert causes(seen)["no evidence"].reason == "clock/gpu was read in 20 of 51 sweeps only"


def test_a_cell_of_two_readings_is_too_short_to_tell() -> None:
    seen = scene(durations_ms=steady(18))
    assert hardware(seen).verdict == "UNKNOWN"
    assert causes(seen)["too short"].reason == "only 2 readings in 0.18 s of iterations"


def test_a_limit_outweighs_what_is_unknown() -> None:
    seen = scene({"over_current/oc1": lambda at: 0 if at < 0.1 else 1}, steady(18))
    assert hardware(seen).verdict == "LIMITED"
    assert {"too short", "under-voltage"} <= set(causes(seen))


def test_long_cells_are_judged_in_time() -> None:
    """An hour at ten readings a second, a million iterations."""
    import time

    seen = scene(
        {"over_current/oc3": int, **clean_cpu(all=lambda at: at * 1.01)},
        [3.6] * 1_000_000,
    )
    start = time.monotonic()
    hardware(seen)
    assert time.monotonic() - start < 30
    assert samples([1, 2]).count == 2
