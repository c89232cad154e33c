"""Locks a Jetson's clocks in a power mode and sets back what was: says what it will run, runs it, and looks at it.

Locking is nvpmodel first (it moves the caps) and jetson_clocks then; what was there before is stored once, so that
locking twice does not take the lock itself for it. A reboot undoes jetson_clocks by itself, but not the mode.
"""

import contextlib
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import List, NamedTuple, Optional

from harness import upgrades
from harness.errors import LaunchError, PlanError
from harness.host import clocks
from harness.host.clocks import Clocks
from harness.records import SCHEMA, Record

FOLDER, BEFORE, STORED = ".clocks", "before.json", "jetson_clocks.conf"
LIMIT_S = 60
PACKAGES = {"nvpmodel": "nvidia-l4t-nvpmodel", "jetson_clocks": "nvidia-l4t-tools"}


class Before(Record, frozen=True, tag_field="kind", tag="clocks-before"):
    """What `unlock` goes back to."""

    boot_id: str
    mode: Optional[int]
    schema: int = SCHEMA


class Step(NamedTuple):
    command: List[str]
    why: str

    def __str__(self) -> str:
        return f"{shlex.join(self.command)}  # {self.why}"


class ClockLock:
    """Of this machine; what was set before lies in the results folder. Raises LaunchError where it is no Jetson."""

    def __init__(self, results: Path, root: Path = Path("/"), rights: Optional[bool] = None) -> None:
        """`root` is the file system's, and `rights` whether this process may set anything."""
        self._root, self._folder = root, results / FOLDER
        self._rights = os.geteuid() == 0 if rights is None else rights
        self.now = clocks.look(root)
        if not self.now.jetson:
            raise LaunchError(_instead(self.now))
        with contextlib.suppress(FileNotFoundError):
            self._before: Optional[Before] = upgrades.read(self._folder / BEFORE, Before)
            return
        self._before = None

    def steps_to_lock(self, mode: Optional[str]) -> List[Step]:
        """Empty where everything is as it is wanted. Raises PlanError for a mode that this board does not have."""
        wanted = self.now.mode
        if mode is not None:
            try:
                wanted = self.now.number(mode)
            except ValueError as error:
                raise PlanError(f"MODE: {error}") from None
        if self.now.locked and wanted == self.now.mode:
            return []
        steps = []
        if not self._stored:
            store = [self._tool("jetson_clocks"), "--store", str(self._folder / STORED)]
            steps.append(Step(store, "keeps what is set now, for make unlock"))
        if wanted != self.now.mode:
            steps.append(Step([self._tool("nvpmodel"), "-m", str(wanted)], "sets the power mode"))
        steps.append(Step([self._tool("jetson_clocks")], "holds every clock at what the mode allows"))
        return steps

    def steps_to_unlock(self) -> List[Step]:
        """Empty where nothing is locked. Raises LaunchError where somebody else has locked it."""
        if self._before is None:
            if self.now.locked:
                raise LaunchError(
                    "the clocks are locked, but not by make lock: nothing says what they were; "
                    "sudo jetson_clocks --restore, or a reboot, frees them"
                )
            return []
        steps = []
        if self._stored:
            restore = [self._tool("jetson_clocks"), "--restore", str(self._folder / STORED)]
            steps.append(Step(restore, "sets the clocks back"))
        if self._before.mode not in (None, self.now.mode):
            steps.append(Step([self._tool("nvpmodel"), "-m", str(self._before.mode)], "sets the power mode back"))
        return steps

    def check_rights(self, steps: List[Step], again: str) -> None:
        """`again` is the command that would do it; raises LaunchError where this process may not."""
        if steps and not self._rights:
            by_hand = "; ".join(f"sudo {shlex.join(step.command)}" for step in steps)
            raise LaunchError(f"this needs root: sudo {again}, or by hand: {by_hand}")

    def lock(self, steps: List[Step]) -> Clocks:
        """Runs the steps. Raises LaunchError where one fails, or where the clocks still move afterwards."""
        if not self._stored:
            # The mode outlives a reboot: what it was before the first lock is what to go back to.
            mode = self._before.mode if self._before is not None else self.now.mode
            self._folder.mkdir(parents=True, exist_ok=True)
            upgrades.write(self._folder / BEFORE, Before(boot_id=self.now.boot_id, mode=mode))
            _give_to_the_owner(self._folder.parent, self._folder, self._folder / BEFORE)
            with contextlib.suppress(
                FileNotFoundError
            ):  # of an earlier boot; jetson_clocks asks before it replaces one
                (self._folder / STORED).unlink()
        self._run(steps)
        found = clocks.look(self._root)
        if not found.locked:
            free = ", ".join(str(one) for one in found.clocks if not one.held) or "no clock can be read"
            raise LaunchError(f"jetson_clocks ran and yet not all is held: {free}")
        return found

    def unlock(self, steps: List[Step]) -> Clocks:
        self._run(steps)
        shutil.rmtree(self._folder, ignore_errors=True)
        return clocks.look(self._root)

    @property
    def _stored(self) -> bool:
        """Whether jetson_clocks has stored this boot's clocks; after a reboot they are free again by themselves."""
        return (
            self._before is not None and self._before.boot_id == self.now.boot_id and (self._folder / STORED).exists()
        )

    def _run(self, steps: List[Step]) -> None:
        for step in steps:
            words = shlex.join(step.command)
            try:
                ended = subprocess.run(
                    step.command,
                    stdin=subprocess.DEVNULL,  # nvpmodel asks before it reboots a board: nobody says yes here
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    timeout=LIMIT_S,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise LaunchError(f"{words} did not end within {LIMIT_S} s; what ran before it stays set") from None
            except OSError as error:
                raise LaunchError(f"{words}: {error.strerror}") from None
            said = ended.stdout.decode(errors="replace").strip()
            if "reboot" in said.lower():
                raise LaunchError(f"{words} needs a reboot: run it by hand, let the board reboot, then this again")
            if ended.returncode:
                last = said.splitlines()[-1] if said else "it says nothing"
                raise LaunchError(f"{words} ended with status {ended.returncode}: {last}")

    def _tool(self, name: str) -> str:
        for folder in ("usr/sbin", "usr/bin"):
            if (self._root / folder / name).exists():
                return str(self._root / folder / name)
        raise LaunchError(f"{name} is not on this Jetson: sudo apt-get install {PACKAGES[name]}")


def _instead(now: Clocks) -> str:
    governor = f" (now {', '.join(now.governors)})" if now.governors else ""
    return (
        "no Jetson: there is no power mode and no jetson_clocks to lock. Instead, for the CPU: sudo cpupower "
        f"frequency-set -g performance{governor}; for an NVIDIA GPU: sudo nvidia-smi -lgc CLOCK, and -rgc afterwards"
    )


def _give_to_the_owner(*paths: Path) -> None:
    """What root has made below a user's checkout is the user's: a bench without root writes there too."""
    owner = paths[0].parent.stat()
    for path in paths:
        with contextlib.suppress(OSError):
            os.chown(str(path), owner.st_uid, owner.st_gid)
