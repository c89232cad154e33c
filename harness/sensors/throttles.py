"""Throttling as hardware and kernel name it: NVML's reasons, cooling, trip points, throttle and current counters."""

from typing import Iterator, List, Sequence, Tuple

from harness.records import Cause, ThroughputSamples
from harness.records.verdict import LIMITED, NOTE, UNKNOWN
from harness.sensors.seen import Seen, Span, runs
from harness.sensors.series import deltas

REASONS = {
    0x4: ("power cap", "raise it (nvidia-smi -pl) or lower the clock until it is not reached"),
    0x8: ("hardware slow-down", "look for heat and supply"),
    0x10: ("sync boost", "take the GPU out of its sync boost group"),
    0x20: ("software thermal slow-down", "cool it better"),
    0x40: ("hardware thermal slow-down", "cool it better"),
    0x80: ("power brake", "look at the supply"),
    0x200: ("board limit", "look at the supply"),
    0x400: ("reliability limit", "lower the clock"),
}
"""Bits of nvmlClocksEventReasons that hold a clock back. Idle, application and display settings do not."""
COOL = "cool it better, wait until it has cooled down, or choose a lower power mode (make lock)"
SUPPLY = "the voltage broke down: another power supply or cable"
LESS_POWER = "a lower power mode (make lock), or a supply that lasts"
PLACEHOLDER = "PMIC-Die"
"""On Xavier a zone of this name always reads the same and has a trip point there."""
SLOWER, SURE, FEW, MOST = 1.01, 3.0, 5, 20_000
"""Events had an effect where iterations during them took 1 % longer and that is no chance (three standard errors of the
rank sum, one-sided 0.13 %); with fewer than 5 on either side nobody can tell. More than 20,000 are thinned out."""


def found(seen: Seen) -> List[Cause]:
    return [*_reasons(seen), *_cooling(seen), *_trips(seen), *_events(seen), *_over_current(seen)]


def _reasons(seen: Seen) -> Iterator[Cause]:
    if seen.inference.processor != "gpu":
        return
    column = seen.during("reasons/gpu")
    for bit, (name, advice) in REASONS.items():
        spans = runs(column.t_ns, [bool(int(value) & bit) for value in column.value])
        if spans:
            share = seen.iterations.share(spans)
            yield Cause(
                code=f"throttled: {name}", weight=LIMITED, reason=f"NVML says {name}", advice=advice, share=share
            )


def _cooling(seen: Seen) -> Iterator[Cause]:
    for name, column in seen.kind("cooling").items():
        spans = runs(column.t_ns, [value > 0 for value in column.value])
        if spans:
            reason = f"the kernel slowed {name} down by {max(column.value):.0f} steps for its temperature"
            share = seen.iterations.share(spans)
            yield Cause(code="throttled: heat", weight=LIMITED, reason=reason, advice=COOL, share=share)


def _trips(seen: Seen) -> Iterator[Cause]:
    before = seen.telemetry.before
    for name, column in seen.kind("temperature").items():
        points = before.trips_mc.get(name, {}) if before is not None and name != PLACEHOLDER else {}
        for kind, at in sorted(points.items(), key=lambda one: one[1]):
            spans = runs(column.t_ns, [value >= at for value in column.value])
            if spans:
                hottest = max(column.value) / 1000
                reason = f"{name} reached {hottest:.0f} degrees Celsius; its {kind} trip point is {at / 1000:.0f}"
                share = seen.iterations.share(spans)
                yield Cause(code="trip point", weight=LIMITED, reason=reason, advice=COOL, share=share)
                break


def _grown(seen: Seen, name: str) -> Tuple[float, List[Span]]:
    """(by how much a counter grew while iterations ran, when). The reading before the first one bounds its growth."""
    end = seen.iterations.span_ns
    spans: List[Span] = []
    total = 0.0
    for begin, until, growth in deltas(seen.series.column(name), seen.wraps_at(name)):
        if growth > 0 and until > 0 and begin < end:
            total += growth
            spans.append((begin, until))
    return total, spans


def _events(seen: Seen) -> Iterator[Cause]:
    for name in seen.series.kind("throttle_events"):
        total, spans = _grown(seen, name)
        if spans:
            part = name.partition("/")[2]
            reason = f"{part} was throttled for heat {total:.0f} times"
            share = seen.iterations.share(spans)
            yield Cause(code="throttled: heat", weight=LIMITED, reason=reason, advice=COOL, share=share)


def _over_current(seen: Seen) -> Iterator[Cause]:
    for name in seen.series.kind("over_current"):
        total, spans = _grown(seen, name)
        if not spans:
            continue
        channel = seen.telemetry.channel(name)
        what = f"{total:.0f} {channel.what if channel is not None else name}"
        share = seen.iterations.share(spans)
        if name.endswith("/oc1"):  # the supply's own failure; whether it slowed anything down does not matter
            yield Cause(code="under-voltage", weight=LIMITED, reason=what, advice=SUPPLY, share=share)
            continue
        weight, words = _effect(seen, spans)
        advice = "" if weight == NOTE else LESS_POWER
        yield Cause(code="over-current", weight=weight, reason=f"{what}; {words}", advice=advice, share=share)


def _effect(seen: Seen, spans: Sequence[Span]) -> Tuple[str, str]:
    """Hardware clips pulses so shortly that no clock shows it: iterations during events against the others."""
    durations = _durations(seen)
    inside = set(seen.iterations.within(spans))
    step = max(1, len(durations) // MOST)
    during = [value for index, value in enumerate(durations) if index in inside][::step]
    apart = [value for index, value in enumerate(durations) if index not in inside][::step]
    if min(len(during), len(apart)) < FEW:
        if not during:
            return NOTE, "no iteration was under way"
        return UNKNOWN, "there were hardly any iterations without such an event to compare with"
    ratio = _middle(during) / max(1, _middle(apart))
    if ratio > SLOWER and _standard_errors(during, apart) > SURE:
        return LIMITED, f"iterations meanwhile took {(ratio - 1) * 100:.1f} % longer"
    return NOTE, "iterations meanwhile took no longer than the others"


def _durations(seen: Seen) -> List[int]:
    if isinstance(seen.samples, ThroughputSamples):  # of one that overlaps another only its distance tells
        ends = seen.samples.end_ns
        return [late - early for early, late in zip([0, *ends], ends)]
    return seen.samples.compute_ns


def _middle(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _standard_errors(one: Sequence[float], other: Sequence[float]) -> float:
    """Mann and Whitney 1947: how far the rank sum of `one` lies above that of equal samples; ties share their ranks."""
    both = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    rank_sum, index = 0.0, 0
    while index < len(both):
        end = index
        while end < len(both) and both[end][0] == both[index][0]:
            end += 1
        rank = (index + end + 1) / 2
        rank_sum += rank * sum(1 for _, which in both[index:end] if which == 0)
        index = end
    n, m = len(one), len(other)
    above = rank_sum - n * (n + 1) / 2 - n * m / 2
    return float(above / (n * m * (n + m + 1) / 12) ** 0.5)
