"""What boards offer and lack: collects the findings of every room; each file here knows one place to look at."""

import contextlib
from pathlib import Path
from typing import List, Optional

from harness.errors import LaunchError
from harness.host import boards
from harness.host.board import LOCAL
from harness.host.containers import outside, pins
from harness.host.containers.daemon import Daemon
from harness.host.doctor import engine, here, inside, jetson, system
from harness.host.doctor.finding import PROBLEM, Examination, Finding


def examine(name: str, jetpack: Optional[str], results: Path) -> Examination:
    """Looks at one board; what cannot be looked at becomes a finding. Raises PlanError for a board nobody knows."""
    findings = here.findings(results) if name == LOCAL else here.of_the_desk()
    daemon = boards.daemon_of(name)
    with contextlib.closing(daemon):
        findings += _of_board(name, daemon, jetpack, results)
    return Examination(board=name, findings=findings)


def _of_board(name: str, daemon: Daemon, jetpack: Optional[str], results: Path) -> List[Finding]:
    entry = boards.known_boards()[name]
    wanted = jetpack or entry.jetpack
    try:
        seen = outside.glimpse(daemon.endpoint, name, system.WANTED)
    except LaunchError as error:
        return [Finding.problem("ssh", str(error))]
    told = outside.NOTHING if seen is None else outside.parse(seen)
    pin = _pin(wanted, told.l4t)
    info, said = engine.look(daemon, told.l4t, needed=name != LOCAL or pin is not None)
    findings = []
    if seen is None:
        findings.append(
            Finding.note(
                "files",
                f"{daemon.endpoint} leads to the engine only: nothing else of this board can be looked at",
                "reach it as ssh://user@host in docker/boards.toml",
            )
        )
    else:
        disk = system.moved(info)
        if disk is not None:
            with contextlib.suppress(LaunchError):
                more = outside.glimpse(daemon.endpoint, name, disk)
                seen.said.update(more.said if more is not None else {})
        findings += jetson.findings(seen, told, wanted, entry.power_mode) + system.findings(seen)
    findings += said
    if info is not None or pin is None:
        findings += inside.findings(name, jetpack, pin, results)
    return findings


def _pin(wanted: Optional[str], l4t: Optional[str]) -> Optional[pins.Pin]:
    """The pin that workers would run in; None where they would not run in a container, or cannot."""
    known = pins.load()
    try:
        chosen = wanted or known.default(l4t)
    except LaunchError:  # a host that no pin serves: the jetson room says so
        return None
    return None if chosen is None or chosen == pins.NONE else known.get(chosen)


__all__ = ["PROBLEM", "Examination", "Finding", "examine"]
