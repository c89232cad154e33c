"""The doctor against written trees of a healthy and of a sick board, an engine's real words, and this machine."""

import json
from pathlib import Path
from typing import Callable, Dict, List, Optional

import pytest

from harness.host import boards, doctor, lock
from harness.host.board import LocalBoard
from harness.host.cli import main
from harness.host.containers import glance, outside
from harness.host.doctor import engine, inside, jetson, system
from harness.host.doctor.finding import Finding
from harness.host.launch.ask import ask
from harness.jobs import Inspection, InspectJob, Package

TEGRA = "usr/lib/aarch64-linux-gnu/tegra"
CSV = "etc/nvidia-container-runtime/host-files-for-container.d"
GPU = "sys/class/devfreq/17000000.gv11b"
HEALTHY: Dict[str, str] = {
    "etc/nv_tegra_release": "# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref, EABI: aarch64, DATE: x\n",
    "proc/device-tree/model": "Jetson-AGX\0",
    "etc/group": "video:x:44:\n",
    "proc/meminfo": "MemTotal:       32000000 kB\nMemFree: 1 kB\nMemAvailable:   28000000 kB\n",
    "proc/swaps": "Filename\tType\tSize\tUsed\tPriority\n/swapfile file 8388604 0 -2\n",
    f"{TEGRA}/libcuda.so.1.1": "x",
    f"{TEGRA}/libnvdla_compiler.so": "xyz",
    f"{CSV}/devices.csv": "dev, /dev/nvhost-gpu\ndev, /dev/nvmap\n",
    f"{CSV}/drivers.csv": f"lib, /{TEGRA}/libcuda.so.1.1\n",
    "etc/nvidia-container-runtime/config.toml": 'disable-require = false\n[nvidia-container-runtime]\nmode = "auto"\n',
    f"{GPU}/min_freq": "1377000000\n",
    f"{GPU}/max_freq": "1377000000\n",
    f"{GPU}/device/of_node/name": "gv11b\0",
}
MODE = "#!/bin/sh\necho 'NV Power Mode: MAXN'; echo 0\n"
DF = "#!/bin/sh\necho 'Filesystem 1024-blocks Used Available Capacity Mounted on'\necho '/dev/x 9 1 {} 1% /'\n"
Board = Callable[[Dict[str, Optional[str]]], Dict[str, Finding]]


@pytest.fixture()
def board(tmp_path: Path) -> Board:
    """What the doctor finds on a healthy board after changes: path to text, None removes the file."""

    def look(changes: Dict[str, Optional[str]], wanted: Optional[str] = None, mode: Optional[str] = None) -> object:
        tools = {"usr/sbin/nvpmodel": MODE, "usr/bin/df": DF.format(50_000_000)}
        for name, text in {**HEALTHY, **tools, **changes}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is not None:
                path.write_text(text)
            if name in tools:
                path.chmod(0o755)
        seen = glance.read(None, "lab", system.WANTED, tmp_path)
        found = jetson.findings(seen, outside.parse(seen), wanted, mode) + system.findings(seen)
        return {one.name: one for one in found}

    return look


def test_a_healthy_board_has_no_complaint(board: Board) -> None:
    found = board({}, "5.1.2", "MAXN")  # type: ignore[call-arg]
    assert {one.name: one.text for one in found.values() if one.state != "ok"} == {}
    assert list(found) == [
        "L4T",
        "host libraries",
        "DLA compiler",
        "csv mode",
        "csv files",
        "power mode",
        "clocks",
        "memory",
        "swap",
        "desktop",
        "image disk",
    ]
    assert "L4T 35.4.1 on Jetson-AGX; pins for it: 5.1.2, 5.0.2; JETPACK is 5.1.2" in found["L4T"].text
    assert found["clocks"].text == "the GPU's is locked at 1377 MHz"


@pytest.mark.parametrize(
    ("name", "changes", "state", "words"),
    [
        ("L4T", {"etc/nv_tegra_release": "# R32 (release), REVISION: 7.6, x"}, "problem", "JetPack 4 gives its"),
        ("host libraries", {f"{TEGRA}/libnvos.so": ""}, "problem", f"/{TEGRA}/libnvos.so: zero bytes"),
        (
            "host libraries",
            {f"{TEGRA}/libcuda.so.1.1": None, f"{TEGRA}/libnvdla_compiler.so": None},
            "problem",
            "no container can reach",
        ),
        ("DLA compiler", {f"{TEGRA}/libnvdla_compiler.so": None}, "note", "cannot be imported without it"),
        ("csv mode", {"etc/nvidia-container-runtime/config.toml": 'mode = "cdi"'}, "problem", 'says mode = "cdi"'),
        ("csv mode", {"etc/nvidia-container-runtime/config.toml": None}, "problem", "toolkit is missing"),
        ("csv files", {f"{CSV}/devices.csv": "\n"}, "problem", "devices.csv missing or empty"),
        ("csv files", {f"{CSV}/devices.csv": None, f"{CSV}/drivers.csv": None}, "problem", "devices.csv and drivers"),
        ("power mode", {"usr/sbin/nvpmodel": "#!/bin/sh\necho 'NV Power Mode: 10W'"}, "problem", "10W, where"),
        ("power mode", {"usr/sbin/nvpmodel": "#!/bin/sh\nexit 1"}, "note", "does not tell this user"),
        ("clocks", {f"{GPU}/min_freq": "114750000\n"}, "note", "between 115 and 1377 MHz"),
        ("clocks", {f"{GPU}/device/of_node/name": "vic\0"}, "note", "no GPU below"),
        ("clocks", {f"{GPU}/max_freq": None}, "note", "tells no frequencies"),
        ("memory", {"proc/meminfo": "MemTotal: 7000000 kB\nMemAvailable: 900000 kB\n"}, "note", "0.9 of 7.0 GB"),
        (
            "swap",
            {"proc/swaps": "Filename\n/dev/zram0 partition 500 0 5\n/dev/zram1 partition 500 0 5\n"},
            "note",
            "zram",
        ),
        ("swap", {"proc/swaps": "Filename Type Size Used Priority\n"}, "note", "none: a build"),
        ("desktop", {"tmp/.X11-unix/X0": ""}, "note", "a session is running (/tmp/.X11-unix/X0)"),
        ("desktop", {"run/user/1000/wayland-0": ""}, "note", "/run/user/1000/wayland-0"),
        ("image disk", {"usr/bin/df": DF.format(2_000_000)}, "note", "2.0 GB free"),
    ],
)
def test_what_is_wrong_is_said_and_cured(
    board: Board, name: str, changes: Dict[str, Optional[str]], state: str, words: str
) -> None:
    found = board(changes, None, "MAXN")[name]  # type: ignore[call-arg]
    assert found.state == state
    assert words in found.text
    assert found.cure or name in ("L4T", "clocks")
    others = [one.name for one in board({}, None, "MAXN").values() if one.state == "problem"]  # type: ignore[call-arg]
    assert set(others) <= {name}


def test_a_pin_that_the_board_cannot_run(board: Board) -> None:
    found = board({}, "6.2")["L4T"]  # type: ignore[call-arg]
    assert found.state == "problem"
    assert "Pins for it: 5.1.2, 5.0.2" in found.text


def test_no_jetson_is_one_line(tmp_path: Path) -> None:
    seen = glance.read(None, "local", system.WANTED, tmp_path)
    (line,) = jetson.findings(seen, outside.parse(seen), None, None)
    assert (line.state, line.name) == ("note", "L4T")
    (line,) = jetson.findings(seen, outside.parse(seen), "5.1.2", None)
    assert line.state == "problem"
    assert "needs a Jetson" in line.text


INFO = {"ServerVersion": "20.10.24+dfsg1", "OSType": "linux", "Architecture": "aarch64", "MemoryLimit": True}


@pytest.mark.parametrize(
    ("info", "l4t", "states"),
    [
        ({**INFO, "Runtimes": {"runc": {}, "nvidia": {}}}, "35.4.1", ["ok", "ok", "ok"]),
        ({**INFO, "Runtimes": {"runc": {}}}, "35.4.1", ["ok", "problem", "ok"]),
        ({**INFO, "Runtimes": {"runc": {}}}, None, ["ok", "note", "ok"]),
        ({**INFO, "ServerVersion": "18.09.7", "MemoryLimit": False}, None, ["problem", "note", "note"]),
        ({"ServerVersion": "master"}, None, ["note", "note", "ok"]),
        ({**INFO, "ServerVersion": "28.1.0-rc.2", "Runtimes": {"nvidia": {}}}, None, ["ok", "ok", "ok"]),
    ],
)
def test_what_an_engine_tells(info: Dict[str, object], l4t: Optional[str], states: List[str]) -> None:
    assert [one.state for one in engine.findings(info, l4t)] == states


def test_a_jetsons_memory_limit_covers_the_cpus_share_only() -> None:
    assert engine.limits(INFO, None).text == "the engine can set one"
    assert "not what the GPU's driver does" in engine.limits(INFO, "35.4.1").text


def test_images_on_another_disk_are_looked_for_there(tmp_path: Path) -> None:
    assert system.moved(None) is None
    assert system.moved({"DockerRootDir": "/var/lib/docker"}) is None
    for name in ("/x; touch y", "/$(touch y)", "relative", "/x'y", "/x\ny", "/x y"):
        assert system.moved({"DockerRootDir": name}) is None, "it would reach a shell"
    asked = system.moved({"DockerRootDir": "/mnt/nvme/docker"})
    assert asked is not None
    tool = tmp_path / "usr/bin/df"
    tool.parent.mkdir(parents=True)
    there = 'case "$*" in *nvme*) echo /n 9 1 77000000 1% /mnt/nvme;; *) echo /d 9 1 5000000 1% /;; esac'
    tool.write_text(f"#!/bin/sh\necho Head\n{there}\n")
    tool.chmod(0o755)
    seen = glance.read(None, "lab", system.WANTED, tmp_path)
    before = system.disk(seen)
    assert before is not None
    assert before.text.startswith("5.0 GB")
    seen.said.update(glance.read(None, "lab", asked, tmp_path).said)
    after = system.disk(seen)
    assert after is not None
    assert (after.state, after.text[:7]) == ("ok", "77.0 GB")


def test_a_worker_says_what_it_can_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    gone = str(tmp_path / "gone")
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{tmp_path}:{gone}")
    monkeypatch.delenv("CUDA_HOME", raising=False)
    job = InspectJob(packages=["numpy", "no_such_package"], variables=list(inside.VARIABLES))
    said, _ = ask(LocalBoard(tmp_path / "work"), "inspect", job, Inspection, 60)
    assert isinstance(said, Inspection), said
    import numpy

    assert said.packages["numpy"] == Package(version=numpy.__version__)
    assert said.packages["no_such_package"].reason == "ModuleNotFoundError: No module named 'no_such_package'"
    assert said.variables == {"LD_LIBRARY_PATH": f"{tmp_path}:{gone}", "CUDA_HOME": None}
    assert said.missing["LD_LIBRARY_PATH"] == [gone]
    assert bool(said.cuda_device) != bool(said.cuda_reason)
    found = {one.name: one for one in inside.judge(said, None)}
    assert found["LD_LIBRARY_PATH"].state == "note"
    assert gone in found["LD_LIBRARY_PATH"].text
    assert found["CUDA_HOME"].text == "not set"
    assert found["import no_such_package"].state == "note"


@pytest.mark.parametrize(
    ("one", "pinned", "state", "words"),
    [
        (Package(version="8.5.2.2"), "8.5.2", "ok", "8.5.2.2"),
        (Package(version="10.3.0"), "8.5.2", "problem", "where the pin says 8.5.2"),
        (Package(version="0.19.0"), "v0.19.0", "ok", "0.19.0"),
        (Package(reason="ModuleNotFoundError: No module named 'tensorrt'"), "8.5.2", "problem", "No module"),
        (Package(reason="ModuleNotFoundError: No module named 'tensorrt'"), "", "note", "this pin's image has none"),
        (
            Package(reason="ImportError: libnvdla_compiler.so: cannot open shared object"),
            "8.5.2",
            "problem",
            "libnvdla",
        ),
        (
            Package(reason="ImportError: libgomp.so.1: cannot allocate memory in static TLS block"),
            None,
            "problem",
            "TLS",
        ),
    ],
)
def test_imports_are_held_against_the_pin(one: Package, pinned: Optional[str], state: str, words: str) -> None:
    found = inside.package("tensorrt", one, pinned)
    assert found.state == state
    assert words in found.text
    assert bool(found.cure) == (state == "problem")


@pytest.mark.parametrize(
    ("reason", "what"),
    [
        ("libnvdla_compiler.so: cannot open shared object file", "nvidia runtime"),
        ("x.so: cannot allocate memory in static TLS block", "LD_PRELOAD"),
        ("/usr/lib/libnvos.so: file too short", "host libraries"),
        ("libcuda.so.1: cannot open shared object file", "the driver is not there"),
        ("libnvinfer.so.8: cannot open shared object file", "LD_LIBRARY_PATH"),
        ("libcudart.so.11.0: cannot open shared object file", "/usr/local/cuda/lib64"),
        ("something nobody has seen", "make shell"),
    ],
)
def test_each_trouble_of_old_has_its_own_cure(reason: str, what: str) -> None:
    assert what in inside.cure(reason)


def test_this_machine_without_an_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    found = {one.name: one for one in doctor.examine("local", None, tmp_path / "results").findings}
    assert [one for one in found.values() if one.state == "problem"] == []
    assert "Measuring here without a container goes on" in found["docker"].text
    for name in ("interpreter", "wheels", "linker", "disk", "L4T", "memory", "swap", "onnxruntime", "import numpy"):
        assert name in found
    needed = {one.name: one for one in doctor.examine("local", "cpu", tmp_path / "results").findings}
    assert needed["docker"].state == "problem"
    assert "start it" in needed["docker"].text


def test_a_board_that_cannot_be_reached_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"lab": boards.Entry(docker="ssh://nobody@127.0.0.1:9", jetpack="5.1.2")}
    monkeypatch.setattr(boards, "known_boards", lambda *_: known)
    found = doctor.examine("lab", None, tmp_path)
    assert found.findings[-1].state == "problem"
    assert found.findings[-1].name == "ssh"
    assert "board lab: ssh to 127.0.0.1 did not work" in found.findings[-1].text


def test_for_programs_and_exit_codes(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    words = ["doctor", "--results", str(tmp_path / "r")]
    assert main([*words, "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert one["board"] == "local"
    assert {"state", "name", "text", "cure"} == set(one["findings"][0])
    assert main([*words, "--jetpack", "cpu"]) == 1
    out = capsys.readouterr().out
    assert "problem docker" in out
    assert main([*words, "--board", "nobody"]) == 2
    assert "unknown board 'nobody'" in capsys.readouterr().err
    assert main([*words, "--jetpack", "9.9"]) == 2
    assert "there is no pin '9.9'" in capsys.readouterr().err


def test_a_run_that_is_going_on_is_left_in_peace(tmp_path: Path) -> None:
    """The lock's holder owns the holds on boards too: without it a look would take them over."""
    with lock.measuring(tmp_path):
        found = inside.findings("local", "none", None, tmp_path)
    assert [one.state for one in found] == ["note"]
    assert "is building or measuring here" in found[0].text
