"""The machine under test as one run sees it: asks for its facts, and says in which of them two machines differ."""

from pathlib import Path
from typing import Dict, List

import msgspec

from harness import upgrades
from harness.errors import LaunchError, RecordError
from harness.host.board import Board
from harness.host.launch.ask import ask
from harness.jobs import Failure, ProbeJob
from harness.records import BackendFacts, Machine

LIMIT_S = 300.0
NOT_COMPARED = ("timer_step_ns", "memory_bytes")
"""Facts that move a little between two looks at one machine."""


def probe(work: Path, backends: List[str], board: Board, trust_known: bool = False) -> Machine:
    """The board's facts. `trust_known` takes over what the last probe found of runtimes that are still the same:

    importing TVM alone takes longer than a build with nothing to do may. A bench never trusts it, and a worker checks
    version and architecture again before it loads an engine.
    """
    note = work / f"machine-{board.name}-{board.container or 'process'}.json"
    known = _known(note) if trust_known else {}
    job = ProbeJob(backends=backends, board=board.name, known=known)
    answer, log = ask(board, "probe", job, Machine, LIMIT_S)
    if isinstance(answer, Failure):
        raise LaunchError(f"board {board.name}: the machine could not be asked for its facts: {answer.reason}\n{log}")
    upgrades.write(note, answer)
    return board.complete(answer)


def _known(note: Path) -> Dict[str, BackendFacts]:
    try:
        return upgrades.read(note, Machine).backends
    except (FileNotFoundError, RecordError):
        return {}


def difference(before: Machine, now: Machine) -> str:
    """The facts that differ, old value first; empty for the same machine in the same state."""
    old, new = msgspec.to_builtins(before), msgspec.to_builtins(now)
    changed = []
    for name in old:
        if name == "backends":
            changed += [
                f"backend {key}: {_words(old[name].get(key))} then, {_words(new[name].get(key))} now"
                for key in sorted({*old[name], *new[name]})
                if old[name].get(key) != new[name].get(key)
            ]
        elif name not in NOT_COMPARED and old[name] != new[name]:
            changed.append(f"{name}: {old[name]} then, {new[name]} now")
    return "; ".join(changed)


def _words(facts: object) -> str:
    if not isinstance(facts, dict):
        return "not asked"
    return f"{facts['version']} for {facts['architecture']}" if facts["available"] else "not available"
