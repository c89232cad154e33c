"""trtexec's arithmetic and its files, and what may be held against them: pure functions, no process."""

import json
import struct
from pathlib import Path
from typing import Any, Dict, List

import msgspec
import pytest

from harness.errors import RecordError
from harness.host.crosscheck import agreement, caveats, exported
from harness.host.crosscheck.outcome import AGREES, DIFFERS, LAUNCH, Compared
from harness.host.stats import trtexec
from harness.records import BoardState, Telemetry
from tests import trtexec_derived
from tests.tensorrt_run import experiment, latency, result, rounds, throughput

DERIVED = sorted(trtexec_derived.FOLDER.glob("derived-*.json"))


@pytest.mark.parametrize(
    ("n", "indices"),
    [
        (20, [17, 18, 19]),
        (100, [89, 94, 99]),
        (200, [179, 189, 198]),
        (500, [449, 474, 495]),
        (1000, [899, 949, 990]),
        (1, [0, 0, 0]),
    ],
)
def test_its_percentiles_are_these_ranks(n: int, indices: List[int]) -> None:
    """p90, p95 and p99 by its source, in single precision; at 100 and at 200 exact arithmetic says 98 and 197."""
    assert [trtexec.rank(n, wanted) for wanted in (90, 95, 99)] == indices


def test_of_a_hundred_queries_its_p99_is_the_largest() -> None:
    samples = [float(number) for number in range(100)]
    assert trtexec.percentile(samples, 99) == max(samples)
    assert trtexec.summarize(samples).percentiles[99] == max(samples)


def single(value: float) -> float:
    """Rounded to a C++ float."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


def by_hand(samples: List[float]) -> List[str]:
    """What printEpilog prints, one rounded operation after the other."""
    ordered = sorted(single(one) for one in samples)
    n, total, squares = len(ordered), 0.0, 0.0
    for one in ordered:
        total = single(total + one)
    mean = single(total / n)
    for one in ordered:
        difference = single(one - mean)
        squares = single(squares + single(difference * difference))
    middle = ordered[n // 2] if n % 2 else single(single(ordered[n // 2 - 1] + ordered[n // 2]) / 2)
    percentiles = []
    for wanted in (90, 95, 99):
        excluded = int(single(single(1 - single(single(wanted) / 100)) * n))
        percentiles.append(ordered[max(n - 1 - excluded, 0)])
    cv = single(single(single(single(squares / n) ** 0.5) / mean) * 100)
    return [f"{value:.6g}" for value in (ordered[0], ordered[-1], mean, middle, *percentiles, cv)]


@pytest.mark.parametrize("path", DERIVED, ids=lambda path: path.stem)
def test_its_summary_is_its_own_to_the_last_digit(path: Path) -> None:
    found = exported.read(path)
    for samples in (found.column("compute_ms"), found.column("latency_ms"), found.column("h2d_ms")[:99]):
        one = trtexec.summarize(samples)
        values = (one.min, one.max, one.mean, one.median, *one.percentiles.values(), one.cv_percent)
        assert [f"{value:.6g}" for value in values] == by_hand(samples)


@pytest.mark.parametrize("path", DERIVED, ids=lambda path: path.stem)
def test_fixtures_are_what_the_rule_writes(path: Path) -> None:
    count, version = trtexec_derived.FIXTURES[path.name]
    assert path.read_text() == trtexec_derived.text(trtexec_derived.times(count), version)


def test_a_file_is_read_whole_and_its_version_told() -> None:
    old, new = (exported.read(path) for path in sorted(DERIVED, reverse=True))
    assert (len(old.queries), old.oldest) == (200, True)
    assert (len(new.queries), new.oldest) == (100, False)
    assert new.queries[0].compute_ms == 4.41134
    assert new.enqueue_ms[0] == pytest.approx(0.286177 - 0.05)
    assert new.resolution_ms == 2.0**-15, "a float of 488 ms steps by 31 ns"


def raw(count: int = 5) -> List[Dict[str, Any]]:
    return list(json.loads(trtexec_derived.text(trtexec_derived.times(count), (10, 3))))


DAMAGES: Dict[str, Any] = {
    "holds no query": lambda queries: [],
    "is not what trtexec's --exportTimes writes: Object missing required field `computeMs`": lambda queries: (
        queries[2].pop("computeMs") and queries
    ),
    "unknown field `gpuMs`": lambda queries: queries[1].update(gpuMs=1.0) or queries,
    r"Expected `float`, got `str` - at `\$\[3\].h2dMs`": lambda queries: queries[3].update(h2dMs="0.3") or queries,
    "query 2: startComputeMs 9 and endComputeMs 1 cannot both be": lambda queries: (
        queries[1].update(startComputeMs=9.0, endComputeMs=1.0) or queries
    ),
    "query 3: computeMs 4.9 is not the 4.4": lambda queries: queries[2].update(computeMs=4.9) or queries,
    "query 4: latencyMs 9 is not the sum": lambda queries: queries[3].update(latencyMs=9.0) or queries,
    "query 3 starts before": lambda queries: [queries[1], queries[2], queries[0]],
    "some queries have endToEndMs": lambda queries: queries[0].update(endToEndMs=5.0) or queries,
}


@pytest.mark.parametrize("message", DAMAGES)
def test_what_it_cannot_have_written_is_refused_by_query(message: str) -> None:
    data = json.dumps(DAMAGES[message](raw())).encode()
    with pytest.raises(RecordError, match=message) as caught:
        exported.decode(data, "t.json")
    assert str(caught.value).startswith("t.json")


@pytest.mark.parametrize("size", [0, 1, 200, -3])
def test_a_file_cut_short_says_so(size: int) -> None:
    data = DERIVED[0].read_bytes()[:size]
    with pytest.raises(RecordError, match=r"t\.json is no whole --exportTimes file .*export it again"):
        exported.decode(data, "t.json")


def test_the_rounding_of_moments_late_in_a_run_is_no_damage() -> None:
    """After 100 s six digits step by a tenth of a ms, forty times what an inference differs by."""
    late = [
        msgspec.structs.replace(
            query,
            **{
                name: float(f"{123_000 + getattr(query, name):.6g}")
                for name in query.__struct_fields__
                if name.startswith(("start_", "end_")) and name != "end_to_end_ms"
            },
        )
        for query in exported.read(DERIVED[0]).queries
    ]
    again = exported.decode(msgspec.json.encode(late), "t.json")
    assert again.column("compute_ms") == exported.read(DERIVED[0]).column("compute_ms")


def compared(device_ms: float, **inference: object) -> List[Compared]:
    """Ours around `device_ms` against 100 queries whose median compute is 4.40 ms."""
    one = experiment(**inference)
    return agreement.compare(rounds(one, device_ms), exported.read(DERIVED[0]), one, agreement.options(one))


def test_ours_and_theirs_stand_in_one_row_each_by_its_rule() -> None:
    rows = {(row.quantity, row.statistic): row for row in compared(4.40)}
    middle = rows["compute, on the device", "median"]
    assert (middle.ours, middle.low, middle.high) == pytest.approx((4.40e6, 4.378e6, 4.422e6))
    assert middle.theirs == pytest.approx(4.402735e6)
    assert rows["compute, on the device", "p99, by trtexec's rule"].theirs == pytest.approx(4.63033e6)
    assert rows["compute, on the device", "p99, type 7"].theirs == pytest.approx(4.63013e6, rel=1e-6)
    assert rows["host to device", "median"].ours == 350_000
    assert rows["host to device", "median"].theirs == pytest.approx(310_060.5)
    assert rows["enqueue", "median"].theirs == pytest.approx(239_900, rel=1e-4)
    assert [row.verdict != "" for row in compared(4.40)] == [True] + [False] * 6, "device time alone is judged"


@pytest.mark.parametrize(
    ("device_ms", "verdict"),
    [
        (4.40, AGREES),
        (4.32, AGREES),  # its slowest round is 1.4 % below
        (4.48, AGREES),
        (4.27, DIFFERS),
        (4.60, LAUNCH),  # 4 % above, and an enqueue takes 0.24 ms
        (4.80, DIFFERS),
    ],
)
def test_device_times_agree_within_two_percent_of_our_rounds(device_ms: float, verdict: str) -> None:
    assert compared(device_ms)[0].verdict == verdict


def test_what_the_two_do_otherwise_is_shown_and_not_judged() -> None:
    assert compared(9.0, io_memory="mapped")[0].verdict == ""
    one = experiment(cuda_graph=True)
    did = msgspec.structs.replace(agreement.options(one), cuda_graph=False)
    rows = agreement.compare(rounds(one, 9.0), exported.read(DERIVED[0]), one, did)
    assert {row.verdict for row in rows} == {""}
    assert any("the other without" in note for note in caveats.of(exported.read(DERIVED[0]), rounds(one), one, did))
    assert not any("the other without" in note for note in caveats.of(
        exported.read(DERIVED[0]), rounds(one), one, agreement.options(one)
    ))  # fmt: skip


def test_an_engine_with_dynamic_shapes_or_on_a_dla_is_asked_for_as_ours_ran_it() -> None:
    one = experiment()
    options = {"profile": "images=1x3x64x64:1x3x320x320:4x3x640x640; ids=1x128", "dla_core": 1}
    told = agreement.options(msgspec.structs.replace(one, build=msgspec.structs.replace(one.build, options=options)))
    assert (told.shapes, told.dla_core) == ({"images": "1x3x320x320", "ids": "1x128"}, 1)
    assert (agreement.options(one).shapes, agreement.options(one).dla_core) == ({}, None)


def test_rates_are_those_of_whole_spans() -> None:
    one = experiment(issue_mode="throughput")
    (row,) = agreement.compare(
        [result(one, 1, throughput(250.0))], exported.read(DERIVED[0]), one, agreement.options(one)
    )
    assert (row.quantity, row.unit, row.verdict) == ("throughput", "1/s", "")
    assert row.ours == pytest.approx(250.0)
    assert row.theirs == pytest.approx(100 / 0.488327, rel=1e-5)


def test_without_device_times_nothing_is_judged_and_that_is_said() -> None:
    one, found = experiment(), exported.read(DERIVED[0])
    results = [result(one, 1, latency(4.7, None))]
    rows = agreement.compare(results, found, one, agreement.options(one))
    assert {row.verdict for row in rows} == {""}
    assert "compute, on the device" not in {row.quantity for row in rows}
    assert any("no times by the device's own clock" in note for note in caveats.of(
        found, results, one, agreement.options(one)
    ))  # fmt: skip


def test_clocks_that_could_move_are_a_caveat() -> None:
    one, found = experiment(), exported.read(DERIVED[0])
    told = {}
    for locked in (True, False):
        state = BoardState(locked=locked, locked_reason="gpu moves between 114 and 1300 MHz")
        telemetry = Telemetry(interval_s=0.1, sweeps=1, largest_gap_s=None, channels=[], before=state)
        results = [msgspec.structs.replace(result, telemetry=telemetry) for result in rounds(one)]
        told[locked] = " ".join(caveats.of(found, results, one, agreement.options(one)))
    assert "gpu moves between 114 and 1300 MHz" in told[False]
    assert "clocks" not in told[True]


def test_what_the_host_decides_is_named() -> None:
    one = experiment()
    told = {
        compute: caveats.of(
            exported.decode(trtexec_derived.text(trtexec_derived.times(100, compute), (10, 3)).encode(), "t.json"),
            rounds(one),
            one,
            agreement.options(one),
        )
        for compute in (0.25, 4.4)
    }
    assert any("bound by enqueue" in note for note in told[0.25])
    assert not any("bound by enqueue" in note for note in told[4.4])
