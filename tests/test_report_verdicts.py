"""Verdicts in a report: rows and headline wear what marks them, and what nobody could see is said once."""

from pathlib import Path
from typing import List

from harness.host import report
from harness.host.report import verdicts
from harness.records import Cause, Channel, Result, Telemetry, Verdict
from tests import example_run
from tests.example_run import experiment, result

NULL, ORT, TVM = experiment("null"), experiment("onnxruntime"), experiment("tvm")
CLEAN = Verdict(verdict="CLEAN")


def hot(share: float) -> Verdict:
    cause = Cause(code="trip", weight="LIMITED", reason="cpu reached 85 C", advice="cool the board", share=share)
    return Verdict(verdict="LIMITED", causes=[cause])


def unknown(what: str) -> Verdict:
    return Verdict(verdict="UNKNOWN", causes=[Cause(code="no evidence", weight="UNKNOWN", reason=what, advice="wait")])


def results(hardware: List[Verdict], **more: object) -> List[Result]:
    """Of TVM, a round for each verdict; the others are clean."""
    valid = {"integrity": Verdict(verdict="VALID"), **more}
    found = [result(TVM, number, hardware=one, **valid) for number, one in enumerate(hardware, 1)]
    for number in range(1, len(hardware) + 1):
        found += [result(one, number, hardware=CLEAN, **valid) for one in (NULL, ORT)]
    return found


def text(tmp_path: Path, found: List[Result]) -> str:
    folder = example_run.write(tmp_path / "20261123T101500Z-yolov5n@320-abcdef", found, [NULL, ORT, TVM])
    return report.write(folder).path.read_text()


def test_a_limited_row_is_marked_with_its_worst_round_and_the_headline_says_so(tmp_path: Path) -> None:
    found = text(tmp_path, results([hot(0.1), hot(0.4), CLEAN]))
    badge = "LIMITED in 2 of 3 rounds: cpu reached 85 C, up to 40 % of its iterations; cool the board"
    assert found.count(badge) == 1, "one footnote, however many tables point to it"
    headline = next(line for line in found.splitlines() if line.startswith("**TVM"))
    assert "[LIMITED: TVM untuned]" in headline
    assert "VALID 9, CLEAN 7, LIMITED 2" in found


def test_what_is_clean_marks_nothing(tmp_path: Path) -> None:
    found = text(tmp_path, results([CLEAN, CLEAN, CLEAN]))
    assert "LIMITED" not in found.replace("LIMITED to", "")
    assert "VALID 9, CLEAN 9" in found


def test_invalid_times_are_in_the_headline_before_what_the_hardware_did() -> None:
    backwards = Cause(code="clock", weight="INVALID", reason="a clock stepped backwards")
    invalid = Verdict(verdict="INVALID", causes=[backwards])
    one = result(TVM, 1, integrity=invalid, hardware=hot(0.2))
    assert verdicts.marks([one]) == ["INVALID", "LIMITED"]
    assert verdicts.badges([one])[0] == "INVALID in 1 of 1 rounds: a clock stepped backwards"


def test_two_zones_of_one_cell_are_two_reasons_and_rounds_are_counted_once() -> None:
    def trip(zone: str, share: float) -> Cause:
        return Cause(code="trip point", weight="LIMITED", reason=f"{zone} at {share * 100:.0f} C", share=share)

    both = Verdict(verdict="LIMITED", causes=[trip("gpu-thermal", 0.4), trip("cpu-thermal", 0.2)])
    hotter = Verdict(verdict="LIMITED", causes=[trip("gpu-thermal", 0.6)])
    found = verdicts.badges([result(TVM, 1, hardware=both), result(TVM, 2, hardware=hotter), result(TVM, 3)])
    assert found == [
        "LIMITED in 2 of 3 rounds: gpu-thermal at 60 C, up to 60 % of its iterations",
        "LIMITED in 1 of 3 rounds: cpu-thermal at 20 C, up to 20 % of its iterations",
    ]


def test_a_note_changes_no_verdict_and_is_told_apart_from_what_is_unknown() -> None:
    note = Cause(code="over-current", weight="NOTE", reason="two events without effect")
    found = verdicts.seen([result(TVM, 1, hardware=Verdict(verdict="CLEAN", causes=[note]))])
    assert (found.unknown, found.noted) == ([], ["two events without effect"])


def test_what_nobody_could_see_is_said_once_and_marks_no_row(tmp_path: Path) -> None:
    absent = Channel(name="energy/package-0", what="energy", unit="uJ", source="sys", reason="no RAPL here")
    watched = Telemetry(interval_s=0.1, sweeps=9, largest_gap_s=0.1, channels=[absent])
    found = text(tmp_path, results([unknown("no clock is told")] * 3, telemetry=watched))
    assert found.count("no clock is told (wait)") == 1
    assert found.count("energy (`energy/package-0`): no RAPL here") == 1
    assert verdicts.badges(results([unknown("x")] * 3)) == []


def test_a_run_that_nobody_watched_says_so(tmp_path: Path) -> None:
    found = text(tmp_path, [result(one, number) for one in (NULL, ORT, TVM) for number in (1, 2, 3)])
    assert "no cell of this run was watched" in found
