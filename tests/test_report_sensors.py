"""What a report shows of sensors: energy, ranges, memory, the picture of a throttle, and what was not measured."""

import csv
import re
import xml.etree.ElementTree
from pathlib import Path
from typing import Dict, List

import msgspec
import numpy
import pytest

from harness.host import readings, report, runs
from harness.host.report import sensed, timeline
from harness.host.report.collect import rows
from harness.host.stats.mean_of_rounds import mean_of_rounds
from harness.records import Channel, Result, Telemetry
from tests import example_run, throttling_run
from tests.example_run import experiment, result

ORT, TVM = experiment("onnxruntime"), experiment("tvm")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return throttling_run.write(tmp_path_factory.mktemp("run") / "20261123T101500Z-yolov5n@320-abcdef")


@pytest.fixture(scope="module")
def page(run: Path) -> str:
    return report.write(run).path.read_text()


def part(page: str, heading: str) -> str:
    return page.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def lines(page: str, heading: str) -> Dict[str, Dict[str, str]]:
    """The first table under a heading: cells by header, by the engine's name."""
    table = [line for line in part(page, heading).splitlines() if line.startswith("|")]
    header, *body = [[cell.strip() for cell in line.strip("|").split("|")] for line in table if "---" not in line]
    return {line[1]: dict(zip(header, line)) for line in body}


def written(tmp_path: Path, results: List[Result]) -> str:
    experiments = list(dict.fromkeys(one.experiment for one in results))
    return report.write(example_run.write(tmp_path / "run", results, experiments, rounds=3)).path.read_text()


# --- energy


def test_energy_of_an_inference_is_power_times_time(page: str) -> None:
    found = lines(page, "Energy")
    trt = found["TensorRT"]
    gross, half = (float(each) for each in trt["gross mJ"].split(" ± "))
    assert gross == pytest.approx(17 * 4.002, rel=0.01), "17 W for 4 ms"
    assert float(trt["above idle mJ"].split(" ± ")[0]) == pytest.approx(12 * 4.002, rel=0.01), "5 W at rest"
    assert 0 < half < 0.01 * gross
    assert float(trt["power W"]) == pytest.approx(17, rel=0.01)
    assert (trt["idle W"], trt["rounds"]) == ("5.00", "3/3")
    assert float(trt["per joule"]) == pytest.approx(1000 / gross, rel=0.01)
    assert "* Power is that of the module's input, rail VDD_IN." in part(page, "Energy")


def test_rounds_that_differ_widen_the_energys_interval(page: str) -> None:
    """Of the engine that was throttled in two of three rounds; its badge stands with its energy."""
    found = lines(page, "Energy")
    halves = {name: float(line["gross mJ"].split(" ± ")[1]) for name, line in found.items()}
    assert halves["ONNX Runtime"] < 2
    assert halves["TVM untuned, znver3"] > 20
    assert "[1]" in found["TVM untuned, znver3"]["notes"]
    assert found["ONNX Runtime"]["notes"] == ""


def test_the_mean_of_rounds_holds_their_spread_and_their_own_uncertainty() -> None:
    """t(0.975, 2) is 4.303; the deviation of 9, 10, 11 is 1."""
    between = 4.302653 / 3**0.5
    found = mean_of_rounds([9.0, 10.0, 11.0], [0.5, 0.5, 0.5])
    assert (found.value, found.rounds) == (10.0, 3)
    assert found.half == pytest.approx((between**2 + 1.0) ** 0.5, rel=1e-6)
    assert mean_of_rounds([9.0, 10.0, 11.0], [0, 0, 0]).half == pytest.approx(between, rel=1e-6)
    assert mean_of_rounds([7.0], [0.5]).half == 1.0, "of one round only its own"


def test_short_cells_are_refused_in_words_and_never_zero(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    found = [throttling_run.cell(throttling_run.TVM, number, folder, seconds=1.0) for number in (1, 2, 3)]
    text = report.write(example_run.write(folder, found, [throttling_run.TVM], rounds=3)).path.read_text()
    energy = part(text, "Energy")
    assert "refused in every round; round 1: its iterations span 1 s; at least 2 s are needed (MIN_SECONDS)." in energy
    assert "|" not in energy, "there is no table, so no cell says 0"
    assert "Energy of 1 row: see *Energy* for its reason." in part(text, "What was not measured")


def test_a_round_without_energy_is_counted_and_says_why(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    seconds = {1: 8.0, 2: 1.0, 3: 8.0}
    found = [throttling_run.cell(throttling_run.TVM, number, folder, seconds=each) for number, each in seconds.items()]
    text = report.write(example_run.write(folder, found, [throttling_run.TVM], rounds=3)).path.read_text()
    assert lines(text, "Energy")["TVM untuned, znver3"]["rounds"] == "2/3"
    assert "energy refused in 1 of 3 rounds; round 2: its iterations span 1 s; at least 2 s are needed" in text


def test_a_machine_that_tells_no_power_says_what_would(tmp_path: Path) -> None:
    absent = Channel(name="energy/package-0", what="energy", unit="uJ", source="sys", reason="no RAPL domain here")
    watched = Telemetry(interval_s=0.1, sweeps=9, largest_gap_s=0.1, channels=[absent])
    text = written(tmp_path, [result(one, number, telemetry=watched) for one in (ORT, TVM) for number in (1, 2, 3)])
    energy = part(text, "Energy").strip()
    assert energy.startswith(
        "Not measured: nothing on this machine tells its power (energy/package-0: no RAPL domain here). What would: "
    )
    assert "INA3221" in energy
    assert len(energy.splitlines()) == 1
    assert "no sensor was looked at" in part(written(tmp_path / "2", [result(ORT, 1)]), "Energy")


def test_readings_that_were_changed_are_refused_by_name_and_cost_nothing_else(run: Path, tmp_path: Path) -> None:
    folder = throttling_run.write(tmp_path / "run")
    telemetry = runs.load_one(folder).results[0].telemetry
    assert telemetry is not None
    path = next(folder.rglob(readings.name(telemetry)))
    path.write_bytes(b"others")
    text = report.write(folder).path.read_text()
    assert f"{path.name} was changed after it was written: its sha256 differs" in part(text, "What was not measured")
    assert str(tmp_path) not in text, "a report names no path of its machine"
    assert lines(text, "Latency")["TensorRT"]["rounds"] == "3/3"
    assert lines(text, "Energy")["TensorRT"]["rounds"] == "2/3"


# --- ranges, memory, files for programs


def test_ranges_are_those_of_the_iterations_alone(page: str) -> None:
    found = lines(page, "Clocks, temperatures and power")
    tvm = found["TVM untuned, znver3"]
    assert (tvm["clock MHz"], tvm["expected"], tvm["first trip"]) == ("408 to 918", "918", "99")
    assert float(tvm["temperature °C"].split(" to ")[1]) > 99
    assert tvm["read from"] == "`clock/gpu`, `temperature/gpu`, `power/VDD_IN`"
    ort = found["ONNX Runtime"]
    assert ort["clock MHz"] == "918 to 918"
    low, high = (float(each) for each in ort["power W"].split(" to "))
    assert 14 < low < high < 16, "the 5 W before and after its iterations are not in it"


def test_a_cell_on_the_cpu_shows_the_cpu(run: Path) -> None:
    [first] = [one for one in runs.load_one(run).results if one.experiment == throttling_run.ORT and one.round == 1]
    inference = msgspec.structs.replace(first.experiment.inference, io_memory="host")
    on_cpu = msgspec.structs.replace(first, experiment=msgspec.structs.replace(first.experiment, inference=inference))
    found = sensed.of_cell(on_cpu, runs.result_path(run, first.experiment, 1).parent)
    assert found.clock is not None and (found.clock.name, found.clock.high) == ("clock/cpu0", 1_497_600_000)
    assert found.temperature is not None and found.temperature.name == "temperature/cpu"


def test_counters_become_power_and_wraps_do_not_show() -> None:
    from harness.host.readings import Column
    from harness.host.stats.integral import watts

    seconds = numpy.arange(0, 10, 0.1)
    counted = Column(numpy.round(seconds * 1e9).astype(numpy.int64), (seconds * 15e6 + 40e6) % 100e6)
    found = watts(counted, "uJ", 100e6)
    assert found is not None
    assert found.value == pytest.approx(15.0)
    assert watts(counted, "uJ", None) is None, "a counter that was set back tells no power"


def test_memory_of_an_engine_and_of_its_process(page: str) -> None:
    found = lines(page, "Memory")
    told = {name: found["TensorRT"][name] for name in ("engine on device", "inputs and outputs", "together")}
    assert told == {"engine on device": "12.3 MB", "inputs and outputs": "1.6 MB", "together": "14.0 MB"}
    assert found["TensorRT"]["process peak"] == "903.0 MB", "of the round that had the most"
    assert found["ONNX Runtime"]["together"] == "not told"
    assert "Memory of each engine alone, of ONNX Runtime, TVM: the runtime does not tell it." in page


def test_programs_get_the_same_figures(run: Path, page: str) -> None:
    with (run / "summary.csv").open(newline="") as file:
        found = {row["backend"]: row for row in csv.DictReader(file)}
    assert float(found["tensorrt"]["gross_mj"]) == pytest.approx(17 * 4.002, rel=0.01)
    assert (found["tensorrt"]["hardware"], found["tvm"]["hardware"]) == ("CLEAN", "CLEAN/LIMITED")
    assert found["tensorrt"]["limited_share"] == ""
    assert 0.3 < float(found["tvm"]["limited_share"]) < 0.8
    assert found["tensorrt"]["peak_rss_bytes"] == "903000000"


# --- the timeline


def test_one_picture_shows_the_throttle_over_one_axis_of_time(run: Path, page: str) -> None:
    assert "course.svg" in page
    found = rows(runs.load_one(run))
    told = sensed.of_rows(run, found)
    drawn = timeline.course(found, told)
    assert drawn == timeline.course(found, told), "the same run draws the same file"
    words = [text.strip() for text in xml.etree.ElementTree.fromstring(drawn).itertext() if text.strip()]
    for axis in ("ms", "MHz", "°C", "W"):
        assert words.count(axis) == 3, "one panel of each for each row"
    assert words.count("expected 918") == 3
    assert words.count("trips 99") == 1, "where the trip point is near, and nowhere else"
    assert {"2 LIMITED", "3 LIMITED"} <= set(words)


def test_sections_of_the_timeline_are_those_of_its_latencies(run: Path) -> None:
    [row] = [one for one in rows(runs.load_one(run)) if one.experiment == throttling_run.TVM]
    found = timeline.sections(row, sensed.of_rows(run, [row]))
    assert [one.round for one in found] == [1, 2, 3]
    assert found[1].begin_s == found[0].end_s
    for one in found:
        assert one.sensed is not None and one.sensed.clock is not None
        at_s = one.sensed.clock.column.t_ns / 1e9
        assert at_s[0] >= 0
        assert at_s[-1] <= one.end_s - one.begin_s + 0.001
    fell = found[1].sensed.clock.column  # type: ignore[union-attr]
    slow = numpy.asarray(found[1].samples.compute_ns) > 20e6
    first_slow_s = numpy.asarray(found[1].samples.start_ns)[slow][0] / 1e9
    assert fell.t_ns[fell.value < 500e6][0] / 1e9 == pytest.approx(first_slow_s, abs=0.11), "on one axis"


def test_a_round_with_a_single_reading_shows_it(run: Path) -> None:
    """A line through one point is nothing that anybody sees."""
    [row] = [one for one in rows(runs.load_one(run)) if one.experiment == throttling_run.TVM]
    cells = sensed.of_rows(run, [row])[row.experiment.slug()]
    for number, cell in cells.items():
        assert cell.clock is not None
        first = readings.Column(cell.clock.column.t_ns[:1], cell.clock.column.value[:1])
        cells[number] = cell._replace(clock=cell.clock._replace(column=first), temperature=None, power=None)
    without, single = (dots(timeline.course([row], told)) for told in ({}, {row.experiment.slug(): cells}))
    assert single == without + len(cells)


def dots(drawn: bytes) -> int:
    """Markers of data: those of axes are not clipped to them."""
    svg = "{http://www.w3.org/2000/svg}"
    groups = xml.etree.ElementTree.fromstring(drawn).iter(f"{svg}g")
    return sum(len(one.findall(f"{svg}use")) for one in groups if "clip-path" in one.attrib)


def test_rows_without_sensors_have_their_latencies_alone(tmp_path: Path) -> None:
    folder = example_run.write(tmp_path / "run", [result(ORT, number) for number in (1, 2, 3)], [ORT], rounds=3)
    drawn = timeline.course(rows(runs.load_one(folder)), {})
    words = list(xml.etree.ElementTree.fromstring(drawn).itertext())
    assert "ms" in words
    assert not {"MHz", "°C", "W"} & set(words)


# --- what was not measured


def test_what_was_not_measured_is_said_with_its_reason(page: str, tmp_path: Path) -> None:
    on_jetson = part(page, "What was not measured")
    assert "speed of the fan (`fan/rpm`): no hwmon device is a fan." in on_jetson
    assert "A Jetson:" not in on_jetson
    assert "What the power supply takes" in on_jetson
    assert "How much builds of TensorRT differ: one build was measured" in on_jetson
    assert "Time on the GPU's own clock, of TensorRT, ONNX Runtime, TVM untuned, znver3" in on_jetson
    skipped = [example_run.ended(TVM, number, "skipped", "no wheel for Python 3.8") for number in (1, 2, 3)]
    elsewhere = part(
        written(tmp_path, [*(result(ORT, number) for number in (1, 2, 3)), *skipped]), "What was not measured"
    )
    assert "A Jetson: this machine is none, and no figure here says anything of one." in elsewhere
    assert "TVM untuned, znver3 (yolov5n 320, fp32, 2 threads): skipped: no wheel for Python 3.8." in elsewhere
    assert "GPU time, of ONNX Runtime: these engines run on the CPU" in elsewhere
    assert "Energy and power: see *Energy* for the reason." in elsewhere
    assert "Throughput: " in elsewhere and "Latency: " not in elsewhere


def test_the_devices_own_times_have_a_column_where_there_are_some(tmp_path: Path) -> None:
    def timing(number: int) -> Result:
        one = result(ORT, number)
        device = [round(value * 0.9) for value in one.samples.compute_ns]  # type: ignore[union-attr]
        return msgspec.structs.replace(one, samples=msgspec.structs.replace(one.samples, device_ns=device))

    text = written(tmp_path, [timing(number) for number in (1, 2, 3)])
    found = lines(text, "Where the time goes")["ONNX Runtime"]
    assert float(found["device"]) == pytest.approx(0.9 * float(found["compute"]), rel=1e-3)
    assert "GPU time" not in part(text, "What was not measured")
    assert not re.search(r"\| device \|", written(tmp_path / "2", [result(ORT, 1)]))
