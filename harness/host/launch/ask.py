"""Asks a worker for one record: launches, waits, and turns whatever happens into that record or a Failure."""

from pathlib import Path
from typing import Tuple, Type, TypeVar, Union

from harness import upgrades
from harness.errors import STORAGE_STATUS, RecordError, StorageError
from harness.host.launch.local import LocalLauncher
from harness.jobs import Failure
from harness.records import Record

R = TypeVar("R", bound=Record)


def ask(work: Path, verb: str, job: Record, kind: Type[R], limit_s: float) -> Tuple[Union[R, Failure], str]:
    """The worker's answer and its log; a worker without one answers `crashed`."""
    with LocalLauncher(work) as launcher:
        return ask_with(launcher, verb, job, kind, limit_s)


def ask_with(
    launcher: LocalLauncher, verb: str, job: Record, kind: Type[R], limit_s: float
) -> Tuple[Union[R, Failure], str]:
    ended = launcher.run(verb, job, limit_s)
    if ended.code == STORAGE_STATUS:
        raise StorageError(f"the worker could not write: {ended.last_line()}; make room, then run the command again")
    data = launcher.get("out.json")
    # A runtime may fall over while it is torn down; an answer that was written whole before that still counts not:
    # nobody can say what else went wrong in that process.
    if ended.code != 0 or ended.timed_out or data is None:
        return Failure(status="crashed", reason=ended.reason()), ended.log
    try:
        return upgrades.decode_answer(data, kind, f"the answer of {verb}"), ended.log
    except RecordError as error:
        return Failure(status="crashed", reason=str(error)), ended.log
