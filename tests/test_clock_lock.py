"""Locking a Jetson's clocks with stand-ins for nvpmodel and jetson_clocks: real programs on a tree of files."""

import os
from pathlib import Path
from typing import List, Optional

import pytest

from harness.errors import LaunchError, PlanError
from harness.host import clocks
from harness.host.cli import main
from harness.host.clock_lock import ClockLock, Step
from tests import sysfs

GPU = "sys/class/devfreq/17000000.gpu"
NVPMODEL = """#!/bin/sh
# As the real one: -m sets the mode and moves the caps. Mode 3 wants a reboot.
echo "nvpmodel $*" >> "{root}/log"
[ "$1" = -m ] || exit 9
if [ "$2" = 3 ]; then echo "NVPM WARN: Reboot required for changing to this power mode: 3"; exit 0; fi
printf 'pmode:%04d\\n' "$2" > "{root}/var/lib/nvpmodel/status"
case $2 in 0) hz=918000000;; *) hz=612000000;; esac
echo $hz > "{root}/{gpu}/max_freq"
"""
JETSON_CLOCKS = """#!/bin/sh
echo "jetson_clocks $*" >> "{root}/log"
set -e
cpus="{root}/sys/devices/system/cpu/cpufreq"
case "$1" in
  --store)
    [ -e "$2" ] && {{ echo "File $2 already exists. Can I overwrite it? Y/N:"; exit 1; }}
    cat "{root}/{gpu}/min_freq" "$cpus/policy0/scaling_min_freq" > "$2";;
  --restore)
    [ -f "$2" ] || {{ echo "no such file"; exit 1; }}
    sed -n 1p "$2" > "{root}/{gpu}/min_freq"
    for cpu in 0 4; do sed -n 2p "$2" > "$cpus/policy$cpu/scaling_min_freq"; done;;
  "")
    cat "{root}/{gpu}/max_freq" > "{root}/{gpu}/min_freq"
    for cpu in 0 4; do cat "$cpus/policy$cpu/scaling_max_freq" > "$cpus/policy$cpu/scaling_min_freq"; done;;
  *) echo "unknown $1"; exit 2;;
esac
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An Orin NX in its 15 W mode, clocks free."""
    top = sysfs.unfold("orin-nx", tmp_path / "root")
    sysfs.put(top, f"{GPU}/min_freq", 306_000_000)
    for cpu in (0, 4):
        sysfs.put(top, f"sys/devices/system/cpu/cpufreq/policy{cpu}/scaling_min_freq", 729_600)
    sysfs.put(top, "proc/sys/kernel/random/boot_id", "boot-1")
    tool(top, "usr/sbin/nvpmodel", NVPMODEL)
    tool(top, "usr/bin/jetson_clocks", JETSON_CLOCKS)
    return top


def tool(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text.format(root=root, gpu=GPU))
    (root / path).chmod(0o755)


def ran(root: Path) -> List[str]:
    return (root / "log").read_text().splitlines() if (root / "log").exists() else []


def words(steps: List[Step]) -> List[str]:
    return [" ".join([Path(step.command[0]).name, *step.command[1:]]) for step in steps]


def locked(root: Path, results: Path, mode: Optional[str] = None) -> clocks.Clocks:
    lock = ClockLock(results, root, rights=True)
    return lock.lock(lock.steps_to_lock(mode))


def unlocked(root: Path, results: Path) -> clocks.Clocks:
    lock = ClockLock(results, root, rights=True)
    return lock.unlock(lock.steps_to_unlock())


def test_what_is_set_is_shown(root: Path, tmp_path: Path) -> None:
    assert ClockLock(tmp_path, root).now.words() == [
        "power mode  15W (2), of MAXN (0), 10W (1), 15W (2), 25W (3)",
        "clock       GPU free from 306 to 612 MHz",
        "clock       CPU 0 free from 730 to 1421 MHz",
        "clock       CPU 4 free from 730 to 1421 MHz",
    ]


def test_nothing_runs_before_it_is_told(root: Path, tmp_path: Path) -> None:
    lock = ClockLock(tmp_path, root, rights=True)
    steps = lock.steps_to_lock("MAXN")
    store = tmp_path / ".clocks" / "jetson_clocks.conf"
    assert words(steps) == [f"jetson_clocks --store {store}", "nvpmodel -m 0", "jetson_clocks"], "caps move first"
    assert all(step.why for step in steps)
    assert ran(root) == []
    assert not store.parent.exists()


def test_locked_and_set_back_mode_and_all(root: Path, tmp_path: Path) -> None:
    before = clocks.look(root)
    found = locked(root, tmp_path, "0")
    assert found.locked
    assert (found.mode, found.clocks[0].max_hz) == (0, 918_000_000)
    after = unlocked(root, tmp_path)
    assert ran(root)[-1] == "nvpmodel -m 2"
    assert after == before
    assert not (tmp_path / ".clocks").exists()


def test_locking_twice_does_not_take_the_lock_for_what_was_before(root: Path, tmp_path: Path) -> None:
    before = clocks.look(root)
    locked(root, tmp_path)
    lock = ClockLock(tmp_path, root, rights=True)
    assert lock.steps_to_lock(None) == [], "nothing is left to do"
    assert words(lock.steps_to_lock("MAXN")) == ["nvpmodel -m 0", "jetson_clocks"], "and nothing is stored again"
    lock.lock(lock.steps_to_lock("MAXN"))
    assert unlocked(root, tmp_path) == before


def test_after_a_reboot_the_clocks_are_free_and_the_mode_is_what_is_left_to_set_back(
    root: Path, tmp_path: Path
) -> None:
    locked(root, tmp_path, "MAXN")
    sysfs.put(root, "proc/sys/kernel/random/boot_id", "boot-2")
    sysfs.put(root, f"{GPU}/min_freq", 306_000_000)
    assert words(ClockLock(tmp_path, root).steps_to_unlock()) == ["nvpmodel -m 2"]
    again = ClockLock(tmp_path, root, rights=True)
    assert words(again.steps_to_lock(None))[0].startswith("jetson_clocks --store"), "of this boot"
    again.lock(again.steps_to_lock(None))
    assert unlocked(root, tmp_path).mode == 2, "the mode of before the first lock"


def test_without_rights_it_is_refused_with_the_command(root: Path, tmp_path: Path) -> None:
    lock = ClockLock(tmp_path, root, rights=False)
    steps = lock.steps_to_lock("MAXN")
    with pytest.raises(LaunchError) as caught:
        lock.check_rights(steps, "make lock MODE=MAXN")
    assert str(caught.value).startswith("this needs root: sudo make lock MODE=MAXN, or by hand: sudo ")
    assert "nvpmodel -m 0; sudo " in str(caught.value)
    assert ran(root) == []
    lock.check_rights([], "make unlock")


def test_a_mode_that_this_board_does_not_have(root: Path, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"MODE: no power mode 'MAX' \(nearest: MAXN\); known: MAXN, 10W, 15W, 25W"):
        ClockLock(tmp_path, root).steps_to_lock("MAX")


def test_a_mode_that_needs_a_reboot_is_left_to_its_owner(root: Path, tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="nvpmodel -m 3 needs a reboot: run it by hand"):
        locked(root, tmp_path, "25W")
    assert ran(root)[-1] == "nvpmodel -m 3", "jetson_clocks must not run after it"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("#!/bin/sh\necho broken >&2; exit 5\n", "ended with status 5: broken"),
        ("#!/bin/sh\nexit 0\n", "jetson_clocks ran and yet not all is held: GPU free from 306 to 612 MHz"),
        ("#!/no/such/interpreter\n", "No such file or directory"),
    ],
)
def test_a_tool_that_fails_or_does_nothing_is_told(script: str, said: str, root: Path, tmp_path: Path) -> None:
    tool(root, "usr/bin/jetson_clocks", script)
    with pytest.raises(LaunchError, match=said):
        locked(root, tmp_path)


def test_a_tool_that_hangs_is_ended(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.host.clock_lock.LIMIT_S", 0.2)
    tool(root, "usr/bin/jetson_clocks", "#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(LaunchError, match=r"did not end within 0\.2 s"):
        locked(root, tmp_path)


def test_a_tool_that_is_missing_names_its_package(root: Path, tmp_path: Path) -> None:
    (root / "usr/bin/jetson_clocks").unlink()
    with pytest.raises(LaunchError, match="jetson_clocks is not on this Jetson: sudo apt-get install nvidia-l4t-tools"):
        ClockLock(tmp_path, root).steps_to_lock(None)


def test_what_somebody_else_has_locked_is_not_guessed_at(root: Path, tmp_path: Path) -> None:
    assert ClockLock(tmp_path, root).steps_to_unlock() == []
    sysfs.put(root, f"{GPU}/min_freq", 612_000_000)
    for cpu in (0, 4):
        sysfs.put(root, f"sys/devices/system/cpu/cpufreq/policy{cpu}/scaling_min_freq", 1_420_800)
    with pytest.raises(LaunchError, match="locked, but not by make lock"):
        ClockLock(tmp_path, root).steps_to_unlock()


def test_another_machine_is_told_what_to_do_instead(tmp_path: Path) -> None:
    sysfs.put(tmp_path, "sys/devices/system/cpu/cpufreq/policy0/scaling_governor", "powersave")
    with pytest.raises(LaunchError) as caught:
        ClockLock(tmp_path / "results", tmp_path)
    assert "no Jetson" in str(caught.value)
    assert "cpupower frequency-set -g performance (now powersave)" in str(caught.value)
    assert "nvidia-smi -lgc" in str(caught.value)


def test_thor_is_a_jetson_without_its_release_file(tmp_path: Path) -> None:
    found = clocks.look(sysfs.unfold("thor", tmp_path))
    assert found.jetson
    assert str(found.clocks[0]) == "GPU held at 1575 MHz"
    assert [one.name for one in found.clocks] == ["GPU", "CPU 0"], "a video engine's clock is none of them"


def test_what_root_stores_belongs_to_whose_checkout_it_is(root: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    os.chown(str(checkout), 12345, 12345)
    locked(root, checkout / "results")
    for path in (checkout / "results", checkout / "results" / ".clocks", checkout / "results/.clocks/before.json"):
        assert path.stat().st_uid == 12345


@pytest.mark.skipif(clocks.look().jetson, reason="this is a Jetson")
@pytest.mark.parametrize("verb", ["lock", "unlock"])
def test_the_verbs_end_in_words_here(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main([verb, "--results", str(tmp_path)]) == 3
    assert "no Jetson: there is no power mode" in capsys.readouterr().err


def test_the_verb_shows_asks_and_does(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ClockLock.__init__

    def here(self: ClockLock, results: Path) -> None:
        real(self, results, root, True)

    monkeypatch.setattr(ClockLock, "__init__", here)
    monkeypatch.delenv("YES", raising=False)
    results = ["--results", str(tmp_path / "results")]
    assert main(["lock", *results]) == 2, "nobody is there to ask"
    assert ran(root) == []
    assert "YES=1" in capsys.readouterr().err
    assert main(["lock", "--mode", "MAXN", "--yes", *results]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("power mode  15W (2)")
    assert any(
        line.startswith("will run    ") and line.endswith("nvpmodel -m 0  # sets the power mode") for line in said
    )
    assert said[-1] == "locked; make unlock sets back what was"
    assert main(["lock", *results]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "locked already: nothing to run"
    assert main(["unlock", "--yes", *results]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "unlocked"
    assert main(["unlock", *results]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "nothing is locked: nothing to run"
